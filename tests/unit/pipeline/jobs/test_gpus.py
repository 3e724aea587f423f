"""An invented machine with two GPUs: no job shares one unless a setting says so."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from touchstone.pipeline.jobs import environment, gpus
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.orchestration import snakemake_run

SOURCE = Path(gpus.__file__).parents[3]
JOB = """import os, sys, time
from touchstone.pipeline.jobs import gpus
gpu = gpus.claim()
assert os.environ["CUDA_VISIBLE_DEVICES"] == gpu == gpus.claim()
start = time.monotonic()
time.sleep(float(sys.argv[1]))
print(gpu, start, time.monotonic())
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Two GPUs, as nvidia-smi lists them."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf 'GPU-aaaa\\nGPU-bbbb\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv(gpus.VISIBLE, raising=False)
    monkeypatch.delenv(gpus.SHARED, raising=False)


def started(seconds=0.4):
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )


def most_at_once(count):
    """The GPUs that some jobs started together used, and the most jobs that one of them had at a time."""
    spans = {}
    for job in [started() for _ in range(count)]:
        gpu, start, end = job.communicate()[0].split()
        spans.setdefault(gpu, []).append((float(start), float(end)))
    return set(spans), max(sum(a <= start < b for a, b in own) for own in spans.values() for start, _ in own)


def test_five_jobs_use_both_gpus_and_never_share_one(machine):
    assert most_at_once(5) == ({"GPU-aaaa", "GPU-bbbb"}, 1)


def test_a_setting_lets_two_jobs_share_a_gpu(machine, monkeypatch):
    monkeypatch.setenv(gpus.SHARED, "2")

    assert most_at_once(4) == ({"GPU-aaaa", "GPU-bbbb"}, 2)


def test_a_killed_job_leaves_its_gpu_to_the_next(machine, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "1")
    first = started(60)
    time.sleep(0.5)
    first.kill()
    first.wait()

    assert started(0).communicate()[0].startswith("GPU-bbbb ")


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (None, ["GPU-aaaa", "GPU-bbbb"]),
        ("1", ["GPU-bbbb"]),
        ("GPU-bbbb,MIG-7", ["GPU-bbbb", "MIG-7"]),
        ("0,-1,1", ["GPU-aaaa"]),
        ("", []),
    ],
)
def test_a_cluster_limits_the_gpus(machine, monkeypatch, chosen, expected):
    if chosen is not None:
        monkeypatch.setenv(gpus.VISIBLE, chosen)

    assert gpus.visible() == expected


@pytest.mark.parametrize(("output", "code", "expected"), [
    ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver", 9, []),
    ("GPU-aaaa", 15, []),
    ("No devices were found", 0, []),
    ("GPU-aaaa\nMIG-bbbb", 0, ["GPU-aaaa", "MIG-bbbb"]),
])  # fmt: skip
def test_what_nvidia_smi_says_besides_gpus_is_no_gpu(machine, tmp_path, output, code, expected):
    (tmp_path / "bin/nvidia-smi").write_text(f'#!/bin/sh\necho "{output}"\nexit {code}\n')

    assert gpus.visible() == expected


def test_without_nvidia_smi_no_gpu_is_claimed_and_torch_decides(monkeypatch):
    monkeypatch.setattr(gpus, "LIST", ("/nowhere/nvidia-smi",))
    monkeypatch.delenv(gpus.VISIBLE, raising=False)

    assert gpus.claim() is None and gpus.VISIBLE not in os.environ


@pytest.mark.parametrize("text", ["0", "two", "-1"])
def test_a_wrong_number_of_jobs_per_gpu_is_refused(monkeypatch, text):
    monkeypatch.setenv(gpus.SHARED, text)

    with pytest.raises(ValueError, match=f"TOUCHSTONE_JOBS_PER_GPU={text}: expected a whole number, 1 or more"):
        gpus.jobs_per_gpu()


def test_a_job_claims_its_gpu_before_torch_looks_for_one(machine, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "0")
    monkeypatch.setattr(gpus, "_claimed", [])
    monkeypatch.setattr(torch.cuda, "is_available", lambda: os.environ[gpus.VISIBLE] != "GPU-aaaa")

    with pytest.raises(JobError, match="torch finds no GPU here"):
        environment.set_up_torch({"device": "cuda", "threads": torch.get_num_threads()})


def test_a_job_on_the_cpu_hides_the_gpus_from_torch(machine, monkeypatch):
    monkeypatch.setenv(gpus.VISIBLE, "0")

    environment.set_up_torch({"device": "cpu", "threads": torch.get_num_threads()})

    assert os.environ[gpus.VISIBLE] == ""
    assert gpus.visible() == []


@pytest.mark.parametrize(("device", "words"), [("cuda", ["--resources", "gpu=2"]), ("cpu", [])])
def test_a_run_starts_as_many_jobs_on_gpus_as_there_are_gpus(tmp_path, monkeypatch, device, words):
    commands = []
    monkeypatch.setattr(gpus, "visible", lambda: ["GPU-aaaa", "GPU-bbbb"])
    monkeypatch.setattr(snakemake_run.subprocess, "Popen", lambda command, **more: commands.append(command) or 1 / 0)

    with pytest.raises(ZeroDivisionError):
        snakemake_run._run(["snakemake"], tmp_path, None, device)

    (command,) = commands
    assert [word for word in command if word in ("--resources", "gpu=2")] == words
