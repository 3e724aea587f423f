"""What another processor changes: it is played by taking from every library all that newer processors have.

Networks and attacked images stay those of the tiny study: what is trained or attacked elsewhere may differ by more.
"""

import csv
import gzip
import shutil
import sys

import pytest

from touchstone.digests import SNAKEMAKE_MARK as MARK
from touchstone.numerics import cpu_paths
from touchstone.provenance import sidecar_files

OLD = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "SSE41",
    "OPENBLAS_CORETYPE": "Nehalem",
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
}
AGAIN = """
from dataclasses import replace
from pathlib import Path
from touchstone.pipeline.jobs import job_plan, run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.provenance.job_folders import folder_of
from touchstone.provenance.store import Store
from touchstone.settings.study import load

plan = Plan(load("tiny"))
written = plan.write()
for step in ("infer", "fit", "score", "evaluate", "report"):
    for key, job in plan.jobs.items():
        if not any(task.step == step for task in job.tasks):
            continue
        folder = folder_of("tiny", str(job))
        output = folder if step != "report" else plan.layout.page
        whole = job_plan.load(written[key], [folder_of("tiny", name) for name in job.inputs], output)
        part = replace(whole, tasks=tuple(task for task in whole.tasks if task.step == step))
        artefacts = Artefacts(part, Store("tiny", Path("old")))
        run.run(artefacts, Path("logs/tiny"))
        if step != "report":
            before = sidecar_files.read_folder(Path(folder))
            artefacts.finish(Path(folder))
            sidecar_files.write_job_sidecar(Path(folder), before | sidecar_files.read_folder(Path(folder)))
"""
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


def with_variables(command, **variables):
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]


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


def record(project):
    return sidecar_files.read_sidecar(project.root / "results/tiny/evaluate/fgsm/metrics/robustness.csv")["cpu"]


def outputs(project):
    return project.digests("results/tiny/detect/cnn.0/outputs")


@pytest.mark.skipif(not cpu_paths.pinned(), reason="this processor is itself as old")
def test_numbers_agree_within_1e_6_and_verdicts_are_equal_on_another_processor(tiny, old):
    here, there = numbers(tiny), numbers(old)

    assert record(tiny) == "numpy=X86_V3 blas=Haswell"
    assert record(old) == "numpy=baseline blas=Nehalem"
    assert outputs(tiny) != outputs(old)  # so that there is something to agree on
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
    job = "results/tiny/evaluate/fgsm"
    before = copied.digests(job)
    shutil.rmtree(copied.root / job)

    (words,) = [words for words in copied.jobs() if words[-1] == job]
    copied.run(with_variables(copied.touchstone(*words[2:]), TOUCHSTONE_STORE="empty", **variables))

    assert (
        copied.digests(job).items() >= {name: data for name, data in before.items() if not name.endswith(MARK)}.items()
    )
