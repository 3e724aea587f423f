"""The processor's code paths: one for all that touchstone pins, named as the libraries themselves name them.

Other processors are played by switching features off: each library is made to take an older path in a process of its own.
"""

import hashlib
import json
import os
import re
import subprocess
import sys

import pytest

from run_tasks import artefacts, path
from touchstone.numerics import cpu_paths
from touchstone.pipeline.jobs import environment, job
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance import code

PLAIN = {name: value for name, value in os.environ.items() if name not in {*cpu_paths.PINNED, "ONEDNN_MAX_CPU_ISA"}}
PLAIN["PYTHONPATH"] = str(code.PACKAGE.parent)
NUMBERS = """
import sys
import numpy as np
import scipy.linalg
rows = np.random.default_rng(0).normal(size=(200, 200))
for found in (rows @ rows, np.exp(rows), np.argsort(rows.round(1)), scipy.linalg.qr(rows)[0]):
    sys.stdout.buffer.write(found.tobytes())
"""
OLDER = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"}
RECORD = "import json; from touchstone.numerics import cpu_paths; print(json.dumps(cpu_paths.record(torch={})))"
ONEDNN = {"AMX": "amx", "AVX-512 with Intel DL Boost and bfloat16": "avx512_bf16", "AVX-512": "avx512", "AVX2": "avx2"}
WITHOUT_AVX2 = {"flags": "fpu sse sse2 avx", "vendor_id": "GenuineIntel", "cpu family": "6", "model": "42"}
avx2 = pytest.mark.skipif(not cpu_paths.pinned(), reason="this processor lacks AVX2")


def run(program, variables):
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@avx2
def test_two_processors_give_equal_bytes_pinned_and_others_unpinned():
    newer = PLAIN | {"OPENBLAS_CORETYPE": "Haswell"}
    free = [hashlib.sha256(run(NUMBERS, variables)).hexdigest() for variables in (newer, PLAIN | OLDER)]
    held = [run(NUMBERS, variables | environment.environment(1)) for variables in (newer, PLAIN | OLDER)]

    assert free[0] != free[1]
    assert held[0] == held[1]


@avx2
def test_the_record_names_the_paths_that_numpy_and_blas_take():
    held = json.loads(run(RECORD.format(False), PLAIN | environment.environment(1)))
    older = json.loads(run(RECORD.format(False), PLAIN | environment.environment(1) | OLDER))

    assert held == "numpy=X86_V3 blas=Haswell"
    assert older == "numpy=baseline blas=Nehalem"


@avx2
def test_the_record_names_what_torch_and_its_libraries_say_of_themselves():
    """MKL: 10 is its AVX2 branch, 2 its own choice, which it makes on processors that are not Intel's."""
    look = """
import ctypes, pathlib, torch
torch.nn.functional.conv2d(torch.ones(8, 16, 28, 28), torch.ones(16, 16, 3, 3))
torch.ones(64, 64) @ torch.ones(64, 64)
library = ctypes.CDLL(str(pathlib.Path(torch.__file__).parent / "lib/libtorch_cpu.so"))
print("aten", torch.backends.cpu.get_cpu_capability())
print("mkl", library.mkl_serv_cbwr_get(1))
"""
    variables = PLAIN | environment.environment(1)
    facts = run(look, variables | {"ONEDNN_VERBOSE": "1"}).decode()
    record = json.loads(run(RECORD.format(True), variables))

    assert record.startswith("aten=avx2 ")
    assert "aten AVX2" in facts
    assert ("mkl=avx2 " in record) == ("mkl 10" in facts)
    assert ("mkl=auto(" in record) == ("mkl 2" in facts)
    assert re.search("onednn=([a-z0-9_]+) ", record)[1] == next(path for word, path in ONEDNN.items() if word in facts)
    assert record.endswith(" numpy=X86_V3 blas=Haswell")


@avx2
def test_the_record_names_a_limit_on_onednn_and_a_process_that_is_not_pinned():
    limited = json.loads(run(RECORD.format(True), PLAIN | environment.environment(1) | {"ONEDNN_MAX_CPU_ISA": "SSE41"}))
    free = json.loads(run(RECORD.format(True), PLAIN))

    assert " at most SSE41 numpy" in limited
    assert "not pinned numpy=" in free


def test_nothing_is_pinned_on_a_processor_without_avx2_and_pins_of_another_are_dropped(monkeypatch):
    monkeypatch.setattr(cpu_paths, "processor", lambda: WITHOUT_AVX2)
    for name, value in cpu_paths.PINNED.items():  # as a job gets them that comes from a login node
        monkeypatch.setenv(name, value)

    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        assert environment.set_environment(1)
        assert not cpu_paths.PINNED.keys() & os.environ.keys()
        assert not environment.set_environment(1)
        assert "not pinned" in cpu_paths.record(torch=True)


@avx2
@pytest.mark.parametrize("threads", [1, 2])
def test_every_job_starts_again_with_its_paths_and_threads_pinned_and_only_once(monkeypatch, threads):
    class StartedAgain(Exception):
        pass

    def start(*arguments):
        raise StartedAgain

    monkeypatch.setattr(os, "environ", dict(PLAIN))
    monkeypatch.setattr(os, "execv", start)

    with pytest.raises(StartedAgain):
        environment.prepare_process(threads)
    environment.prepare_process(threads)

    assert cpu_paths.PINNED.items() <= os.environ.items()
    assert {os.environ[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS")} == {str(threads)}


@pytest.mark.parametrize("step", ["prepare", "train", "evaluate", "report"])
def test_the_sidecar_of_every_step_that_computes_names_the_paths(tmp_path, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    facts = facts_of(Task(step, {}, path("made"), {"device": "cpu", "threads": 1}))

    assert "numpy=" in facts["cpu"]
    assert "blas=" in facts["cpu"]
    assert "numerics.cpu_paths.pinned" in facts["definitions"]


def facts_of(task):
    one = artefacts(task)
    return job.Job(one.plan.tasks[0], one, None).facts


def test_what_is_pinned_by_its_digest_is_the_same_on_every_processor_and_by_any_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pinned = {"sha256": "sha256:00", "component": {"use": "sources/mnist"}}

    facts = facts_of(Task("fetch", {}, "data/raw/mnist", pinned))

    assert "cpu" not in facts
    assert facts["definitions"] == {}
