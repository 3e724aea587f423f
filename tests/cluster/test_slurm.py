"""A study on a real Slurm of one node: what its jobs ask for, what becomes of cancelled and requeued ones, equal bytes."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file

from projects import write_study

pytestmark = pytest.mark.cluster
FEW = Path(__file__).parent / "few.yaml"
NETWORK = "results/few/train/cnn.0"
# How soon Snakemake looks at its jobs: after each that ended in so many seconds, else ten seconds later than before.
SOON = ["--slurm-init-seconds-before-status-checks", "6", "--latency-wait", "10"]
PROFILE = ["--workflow-profile", "profiles/slurm", "--jobs", "6", *SOON]
LIMIT = 900  # seconds; a Snakemake that waits for ever has to be killed
WITH_GPU = {"train", "attack"}  # while the study is on the CPU, so that its jobs can be done here


def environment(slurm):
    return {name: value for name, value in slurm.environment.items() if not name.startswith("SNAKEMAKE")}


@contextlib.contextmanager
def submitting(slurm, project, *arguments):
    """A Snakemake that submits to Slurm; what it says goes to submitted.out."""
    assert find_spec("snakemake_executor_plugin_slurm"), "the executor is not installed: make cluster"
    command = [sys.executable, "-m", "snakemake", "--nocolor", *PROFILE, *arguments]
    with (project.root / "submitted.out").open("w") as log:
        run = subprocess.Popen(command, cwd=project.root, env=environment(slurm), stdout=log, stderr=log)
        try:
            yield run
        finally:
            run.kill()
            run.wait()


def told(project):
    return (project.root / "submitted.out").read_text()


def rule(facts):
    return facts.get("Comment", "").removeprefix("rule_").partition("_wildcards_")[0]


def running(slurm, name):
    """The number of the job of a rule that has run for a second or more; None where there is none."""
    jobs = slurm.jobs().items()
    found = [number for number, facts in jobs if rule(facts) == name and facts["JobState"] == "RUNNING" and facts["RunTime"] > "00:00:01"]  # fmt: skip
    return found[0] if found else None


def epochs_done(project):
    """How many epochs the training that is at work keeps the state of; None where none is at work."""
    for path in (project.root / ".touchstone/unfinished").glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError):
            return int(load_file(path)["epoch"][0])
    return None


class Training:
    """The epochs of a training, looked at again and again: the lowest tells whether it ever started anew."""

    def __init__(self, project):
        self.project, self.lowest = project, 10**6

    def epochs(self):
        found = epochs_done(self.project)
        self.lowest = min(self.lowest, found or 10**6)
        return found or 0


def copy_with_study(bare, folder, name="few", **compute):
    project = type(bare)(folder / "project")
    shutil.copytree(bare.root, project.root, symlinks=True)
    write_study(project.root, name, FEW.read_text(), compute=compute)
    return project


@dataclass
class Story:
    """What was done to the jobs, and what was seen; numbers are those of Slurm's jobs."""

    project: object
    jobs: dict[str, dict[str, str]]
    cancelled_training: str
    requeued_training: str
    cancelled_attack: str
    first: str  # what the run said that the cancelled training ended
    epochs: dict[str, int]


@pytest.fixture(scope="module")
def story(slurm, bare, tmp_path_factory):
    """A run that ends because its training is cancelled; the next run, whose training is requeued and its attack cancelled."""
    project = copy_with_study(bare, tmp_path_factory.mktemp("cluster"))
    study = ["--config", "study=few"]
    study += ["--set-threads", "detect=2", "--set-resources", *(f"{name}:gpu=1" for name in sorted(WITH_GPU))]
    epochs, numbers = {}, {}

    def at_work(run, name, reached=0):
        def holds():
            assert run.poll() is None, f"{name} was not seen at work\n{told(project)[-3000:]}\n{slurm.told()}"
            numbers[name] = running(slurm, name)
            return numbers[name] and training.epochs() >= reached

        slurm.until(holds, f"{name} to be at work", LIMIT)
        return numbers[name]

    training = Training(project)
    with submitting(slurm, project, NETWORK, "--retries", "0", *study) as run:
        first_training = at_work(run, "train", reached=5)
        slurm.run("scancel", first_training)
        assert run.wait(LIMIT) == 1, told(project)[-3000:]
    first = told(project)
    epochs["when cancelled"] = epochs_done(project)

    training = Training(project)
    with submitting(slurm, project, *study) as run:
        second_training = at_work(run, "train", reached=epochs["when cancelled"] + 5)
        epochs["lowest after it was cancelled"] = training.lowest
        slurm.run("scontrol", "requeue", second_training)
        slurm.until(lambda: slurm.jobs()[second_training]["JobState"] == "PENDING", "the training to wait again")
        epochs["when requeued"] = epochs_done(project)
        # Slurm lets a requeued job wait for two minutes.
        slurm.run("scontrol", "update", f"JobId={second_training}", "StartTime=now")
        training = Training(project)
        at_work(run, "train", reached=epochs["when requeued"] + 1)
        slurm.until(lambda: not training.epochs(), "the training to end", LIMIT, every=0.05)
        epochs["lowest after it was requeued"] = training.lowest
        attack = at_work(run, "attack")
        slurm.run("scancel", attack)
        assert run.wait(LIMIT) == 0, f"{told(project)[-5000:]}\n{slurm.told()}"
    return Story(project, slurm.jobs(), first_training, second_training, attack, first, epochs)


def test_jobs_that_are_tagged_with_a_gpu_get_one_and_no_others(story):
    with_gpu = {
        rule(facts)
        for facts in story.jobs.values()
        if "gpu" in facts.get("TresPerJob", "") + facts.get("TresPerNode", "")
    }

    assert with_gpu == WITH_GPU
    assert {"prepare", "evaluate", "report", "detect"} <= {rule(facts) for facts in story.jobs.values()}


def test_downloads_are_not_submitted(story):
    assert "fetch" not in {rule(facts) for facts in story.jobs.values()}
    assert (story.project.root / "data/raw/sklearn_digits.prov.json").is_file()


def test_cores_memory_and_time_are_those_of_the_rule(story):
    asked = {}
    for number, facts in story.jobs.items():
        if number not in (story.cancelled_training, story.cancelled_attack):
            asked.setdefault(rule(facts), []).append(
                (facts["CPUs/Task"], facts["MinMemoryNode"], facts["TimeLimit"]),
            )

    assert {*asked["prepare"], *asked["report"]} == {("1", "3000M", "01:00:00")}
    assert {*asked["train"]} == {("1", "4000M", "04:00:00")}
    assert {*asked["detect"]} == {("2", "4000M", "04:00:00")}


def test_a_cancelled_job_without_retries_ends_the_run_and_the_next_goes_on_from_there(story):
    done = Counter(facts["Comment"] for facts in story.jobs.values() if facts["JobState"] == "COMPLETED")

    assert story.jobs[story.cancelled_training]["JobState"] == "CANCELLED"
    assert "CANCELLED" in story.first
    assert set(done.values()) == {1}, done
    assert story.epochs["lowest after it was cancelled"] >= story.epochs["when cancelled"] >= 5


def test_a_requeued_job_is_done_under_its_own_number_and_a_training_goes_on_from_its_last_epoch(story):
    requeued = story.jobs[story.requeued_training]

    assert requeued["JobState"] == "COMPLETED"
    assert requeued["Restarts"] == "1"
    assert story.epochs["lowest after it was requeued"] >= story.epochs["when requeued"] >= 10


def test_a_cancelled_job_with_retries_is_done_again_with_more_memory_and_time(story):
    cancelled = story.jobs[story.cancelled_attack]

    (again,) = [
        facts
        for number, facts in story.jobs.items()
        if facts["Comment"] == cancelled["Comment"] and number != story.cancelled_attack
    ]
    assert (cancelled["JobState"], again["JobState"]) == ("CANCELLED", "COMPLETED")
    assert (cancelled["MinMemoryNode"], again["MinMemoryNode"]) == ("4000M", "8000M")
    assert (cancelled["TimeLimit"], again["TimeLimit"]) == ("04:00:00", "08:00:00")


def test_the_log_of_every_job_is_kept(story):
    ends = {"COMPLETED": "Finished jobid", "CANCELLED": "CANCELLED"}

    for facts in story.jobs.values():
        log = Path(facts["StdOut"])
        assert log.is_relative_to(story.project.root / "logs/slurm")
        assert ends[facts["JobState"]] in log.read_text(), log


def test_the_bytes_are_those_of_a_local_run(story, bare, tmp_path):
    local = copy_with_study(bare, tmp_path)
    local.snakemake("--cores", "2", study="few")

    first, second = (project.digests("data", "results", "reports") for project in (story.project, local))

    assert [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)] == []
    assert "reports/few/report.html" in first


def test_nothing_is_left_to_do_here_or_there(slurm, story):
    assert not story.project.planned(study="few")
    with submitting(slurm, story.project, "--dry-run", "--config", "study=few") as again:
        assert again.wait(LIMIT) == 0
    assert "Nothing to be done" in told(story.project)


def test_a_study_on_cuda_asks_slurm_for_a_gpu(slurm, bare, tmp_path):
    """The GPU here is made up: the job gets it from Slurm and then, on most machines, finds that torch sees none."""
    project = copy_with_study(bare, tmp_path, name="on_cuda", device="cuda")
    before = set(slurm.jobs())

    target = "results/on_cuda/train/cnn.0"
    with submitting(slurm, project, target, "--config", "study=on_cuda", "--retries", "0") as run:
        code = run.wait(LIMIT)

    asked = {rule(facts): facts.get("TresPerJob", "") for number, facts in slurm.jobs().items() if number not in before}
    assert asked == {"prepare": "", "train": "gres:gpu:1"}
    if not torch.cuda.is_available():
        assert code == 1
        log = (project.root / "logs/on_cuda/train/cnn.0.log").read_text()
        assert "compute.device is cuda, but torch finds no GPU here" in log
