"""The tiny study on a real Slurm of one node: what each job asked for, jobs that are cancelled or requeued, equal bytes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster
SOON = [
    "--slurm-init-seconds-before-status-checks",
    "2",
    "--seconds-between-status-checks",
    "2",
    "--latency-wait",
    "10",
]
PROFILE = ["--workflow-profile", "profiles/slurm", "--jobs", "4", *SOON]
LIMIT = 900  # seconds; a Snakemake that waits for ever has to be killed


def command(*arguments: str) -> list[str]:
    assert find_spec("snakemake_executor_plugin_slurm"), "the executor is not installed: make cluster"
    return [sys.executable, "-m", "snakemake", "--nocolor", *PROFILE, *arguments]


def submit(slurm, project, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in slurm.environment.items() if not name.startswith("SNAKEMAKE")}
    environment["TOUCHSTONE_CACHE"] = "off"
    with (project.root / "submitted.out").open("w") as log:
        done = subprocess.run(
            command(*arguments), cwd=project.root, env=environment, stdout=log, stderr=log, timeout=LIMIT
        )
    return subprocess.CompletedProcess(done.args, done.returncode, (project.root / "submitted.out").read_text(), "")


def rule(facts: dict[str, str]) -> str:
    return facts.get("Comment", "").removeprefix("rule_").partition("_wildcards_")[0]


def running(slurm, name: str) -> str | None:
    """The number of a job of that rule that has run for a second or more."""
    for number, facts in slurm.jobs().items():
        if rule(facts) == name and facts["JobState"] == "RUNNING" and facts["RunTime"] > "00:00:01":
            return number
    return None


@pytest.fixture(scope="module")
def cluster_run(slurm, bare, tmp_path_factory):
    """The tiny study run on the cluster, `train` with a GPU; meanwhile one job is cancelled and another requeued."""
    project = type(bare)(tmp_path_factory.mktemp("cluster") / "project")
    subprocess.run(["cp", "-r", str(bare.root), str(project.root)], check=True)
    hit: dict[str, str] = {}
    stop = threading.Event()

    def disturb():
        while not stop.is_set() and len(hit) < 2:
            for name, act in (("train", ["scancel"]), ("fit_all_detectors", ["scontrol", "requeue"])):
                if name not in hit and (number := running(slurm, name)):
                    slurm.run(*act, number)
                    hit[name] = number
            time.sleep(0.3)

    disturber = threading.Thread(target=disturb)
    disturber.start()
    try:
        done = submit(slurm, project, "--config", "study=tiny", "--set-resources", "train:gpu=1")
    finally:
        stop.set()
        disturber.join()
    assert done.returncode == 0, done.stdout[-5000:]
    return project, slurm.jobs(), hit


def test_only_what_asks_for_a_gpu_gets_one(cluster_run):
    _, jobs, _ = cluster_run

    with_gpu = {
        rule(facts) for facts in jobs.values() if "gpu" in facts.get("TresPerJob", "") + facts.get("TresPerNode", "")
    }
    assert with_gpu == {"train"}
    assert {"fetch", "prepare", "evaluate", "report"} <= {rule(facts) for facts in jobs.values()} - with_gpu


def test_cores_memory_and_time_are_those_of_the_rule(cluster_run):
    _, jobs, _ = cluster_run
    first = [facts for number, facts in jobs.items() if rule(facts) in ("prepare", "fetch", "report")]

    assert {facts["MinMemoryNode"] for facts in first} == {"3000M"}
    assert {facts["TimeLimit"] for facts in first} == {"01:00:00"}
    assert {facts["CPUs/Task"] for facts in jobs.values()} == {"1"}


def test_a_cancelled_job_is_done_again_with_more_memory(cluster_run):
    _, jobs, hit = cluster_run
    cancelled = jobs[hit["train"]]

    again = [
        facts for facts in jobs.values() if facts["Comment"] == cancelled["Comment"] and facts["JobId"] != hit["train"]
    ]
    assert cancelled["JobState"] == "CANCELLED"
    assert [facts["JobState"] for facts in again] == ["COMPLETED"]
    assert (cancelled["MinMemoryNode"], again[0]["MinMemoryNode"]) == ("4000M", "8000M")


def test_a_requeued_job_is_done_under_its_own_number(cluster_run):
    _, jobs, hit = cluster_run

    assert jobs[hit["fit_all_detectors"]]["JobState"] == "COMPLETED"
    assert int(jobs[hit["fit_all_detectors"]]["Restarts"]) >= 1


def test_the_bytes_are_those_of_a_local_run(cluster_run, tiny):
    project, _, _ = cluster_run

    assert project.digests("data", "reports") == tiny.digests("data", "reports")


def test_nothing_is_left_to_do_here_or_there(slurm, cluster_run):
    project, _, _ = cluster_run

    assert not project.planned()
    again = submit(slurm, project, "--dry-run", "--config", "study=tiny")
    assert "Nothing to be done" in again.stdout


def test_a_run_that_a_cancelled_job_ended_goes_on(slurm, bare, tmp_path):
    project = type(bare)(tmp_path / "project")
    subprocess.run(["cp", "-r", str(bare.root), str(project.root)], check=True)
    target = ["data/tiny/checkpoints/cnn.0.safetensors", "--config", "study=tiny"]
    cancelled = threading.Event()
    before = set(slurm.jobs())

    def cancel():
        while not cancelled.wait(0.2):
            number = running(slurm, "train")
            if number is not None and number not in before:
                slurm.run("scancel", number)
                return

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        first = submit(slurm, project, *target, "--retries", "0")
    finally:
        cancelled.set()
        canceller.join()
    again = submit(slurm, project, *target)

    assert first.returncode == 1
    assert "CANCELLED" in first.stdout
    assert again.returncode == 0, again.stdout[-3000:]
    assert again.stdout.count("Prepare ") == 0  # what was done stays done
    assert Path(project.root / target[0]).is_file()
    assert any((project.root / "logs/slurm").rglob("*.log"))
