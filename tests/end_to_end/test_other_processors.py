"""What another processor changes: it is played by taking from every library all that newer processors have.

Networks and attacked images stay those of the tiny study: what is trained or attacked elsewhere may differ by more.
"""

import csv
import gzip
import json
import sys

import pytest

from touchstone.numerics import cpu_paths

OLD = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
AGAIN = """
from pathlib import Path
from touchstone.pipeline.jobs import run
from touchstone.pipeline.settings.study import load
from touchstone.pipeline.planning.plan import Plan

plan = Plan(load("tiny"))
for step in ("infer", "fit", "score", "evaluate", "report"):
    for rule, wildcards in plan.jobs():
        if rule.step == step:
            run.run(plan.tasks(rule, **wildcards), Path(), Path("logs/tiny"))
"""
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def with_variables(command, **variables):
    return ["env", "TOUCHSTONE_CACHE=off", *(f"{name}={value}" for name, value in variables.items()), *command]


@pytest.fixture
def old(copied):
    """The tiny study, with all that follows its networks and attacks made again on an old processor."""
    variables = {"PYTHONPATH": copied.root / "src", **THREADS, **OLD}
    copied.run(with_variables([sys.executable, "-c", AGAIN], **variables))
    return copied


def numbers(project):
    table = gzip.decompress((project.root / "reports/tiny/metrics.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(table.splitlines()))


def verdicts(project):
    return [row["status"] for row in csv.DictReader((project.root / "reports/tiny/claims.csv").open())]


def record(project, file):
    return json.loads((project.root / f"data/tiny/{file}.prov.json").read_text())["cpu"]


@pytest.mark.skipif(not cpu_paths.pinned(), reason="this processor is itself as old")
def test_numbers_agree_within_1e_6_and_verdicts_are_equal_on_another_processor(tiny, old):
    here, there = numbers(tiny), numbers(old)

    assert record(tiny, "metrics/robustness.csv") == "numpy=X86_V3 blas=Haswell"
    assert record(old, "metrics/robustness.csv") == "numpy=baseline blas=Nehalem"
    assert tiny.digests("data/tiny/outputs") != old.digests(
        "data/tiny/outputs"
    )  # so that there is something to agree on
    assert len(here) == len(there) > 400
    for mine, other in zip(here, there, strict=True):
        for name, value in mine.items():
            try:
                assert float(other[name]) == pytest.approx(float(value), rel=1e-6, abs=1e-6), mine
            except ValueError:
                assert other[name] == value, mine
    assert verdicts(tiny) == verdicts(old)


@pytest.mark.skipif(not cpu_paths.pinned(), reason="nothing is pinned on this processor")
def test_variables_of_the_user_change_no_byte_of_an_evaluation(copied):
    """The sidecar is compared too: it names the paths that the libraries took."""
    variables = {name: value for name, value in OLD.items() if name in cpu_paths.PINNED}
    before = copied.digests("data/tiny/metrics")
    (copied.root / "data/tiny/metrics/robustness.csv").unlink()

    command = copied.touchstone("job", "evaluate", "evaluation=robustness", "--study", "tiny")
    copied.run(with_variables(command, **variables))

    assert copied.digests("data/tiny/metrics") == before
