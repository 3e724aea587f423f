"""Kills, full disks, a second run: the next run recovers by itself, and the bytes are those of an undisturbed run.

Every kill is drawn from a seed: KILLS says how many (default 4), SEED from which.
"""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from safetensors import SafetensorError
from safetensors.numpy import load_file

from projects import write_study
from touchstone.audit.chain import audit
from touchstone.digests import SNAKEMAKE_MARK
from touchstone.pipeline.jobs import processes, run_records
from touchstone.pipeline.orchestration import recovery
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

pytestmark = pytest.mark.faults
KILLS = int(os.environ.get("KILLS", "4"))
SEED = int(os.environ.get("SEED", "2026"))
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
STUDY_ENDS = 600  # seconds


@pytest.fixture(autouse=True)
def temporary(monkeypatch):
    """The folder of temporary files of the runs. Its path is short, because sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("SNAKEMAKE")}


def start(project, **variables):
    log = (project.root / "run.out").open("a")
    line = project.touchstone("run", "tiny", "--cores", "2")
    return subprocess.Popen(
        line, cwd=project.root, stdout=log, stderr=log, env=environment() | variables, start_new_session=True
    )


def finish(project, check=True):
    line = project.touchstone("run", "tiny", "--cores", "2")
    done = subprocess.run(line, cwd=project.root, capture_output=True, text=True, env=environment(), timeout=STUDY_ENDS)
    assert not check or done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def at_work(project, words):
    """The processes in the project's folder whose command line contains some words."""
    return [process for process in processes.in_folder(project.root) if words in " ".join(process.command)]


def victims(project, kind):
    jobs = at_work(project, "touchstone job")
    if kind == "job":
        return [job for job in jobs if "bash" not in job.command[0]]
    if kind == "shell of a job":
        return [job for job in jobs if "bash" in job.command[0]]
    if kind in ("warm process", "job of the warm process"):
        return [
            one for one in at_work(project, "touchstone.pipeline.jobs.warm") if leads(one) == (kind == "warm process")
        ]
    if kind == "snakemake":
        return at_work(project, "-m snakemake")
    if kind == "touchstone":
        return at_work(project, "touchstone run")
    return at_work(project, "")  # everything at once, like a power cut


def leads(process):
    """Whether it is the warm process itself, which leads its session, and not a job of it."""
    with contextlib.suppress(ProcessLookupError):
        return os.getsid(process.pid) == process.pid
    return None


KINDS = ["job", "shell of a job", "job of the warm process", "warm process", "snakemake", "touchstone", "everything"]


def leftovers(project):
    folders = [project.root / name for name in ("data", "results", "reports", ".touchstone")]
    hidden = [path for folder in folders for path in folder.rglob(".*")]
    return [path for path in hidden if recovery.HALF_WRITTEN.fullmatch(path.name)]


@pytest.fixture
def empty(tiny, tmp_path):
    """The repository with nothing run in it, in a copy whose files may be killed."""
    made = {"data", "results", "reports", "logs", ".snakemake", ".touchstone"}
    shutil.copytree(tiny.root, tmp_path / "project", ignore=lambda folder, _: made if folder == str(tiny.root) else ())
    yield type(tiny)(tmp_path / "project")
    for process in at_work(type(tiny)(tmp_path / "project"), ""):
        processes.end([process])


def stored(project):
    """The results in the store, and when each was written: none of them is ever written again."""
    return {path: path.stat().st_mtime_ns for path in (project.root / "data/tiny").glob("*/*.json")}


def bytes_of(project):
    return project.digests("data", "results", "reports")


def test_after_seeded_kills_the_bytes_are_those_of_an_undisturbed_run(tiny, empty, temporary):
    draw, killed = random.Random(SEED), []
    kinds = draw.sample(KINDS, len(KINDS))
    for _ in range(3 * KILLS):
        if len(killed) == KILLS:
            break
        run = start(empty)
        time.sleep(draw.uniform(4, 14))
        if run.poll() is not None:  # it ended before: from the start again
            for folder in ("data/tiny", "results/tiny", "reports/tiny"):
                shutil.rmtree(empty.root / folder, ignore_errors=True)
            continue
        kind = kinds[len(killed) % len(kinds)]
        while not (found := victims(empty, kind)) and run.poll() is None:
            time.sleep(0.1)  # a busy machine has not come that far yet
        chosen = found if kind == "everything" else draw.sample(found, min(1, len(found)))
        for process in chosen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        killed += [kind] if chosen else []
        run.wait(STUDY_ENDS)  # where a job was killed, Snakemake goes on with what it can

    before = stored(empty)
    finish(empty)

    assert before.items() <= stored(empty).items(), killed
    first, second = bytes_of(tiny), bytes_of(empty)
    first.pop("data/README.md")  # git has it; nothing made it
    differing = [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)]
    # Snakemake, killed after a job has ended, leaves no mark in the job's folder; then the time of the folder counts.
    assert [name for name in differing if not name.endswith(SNAKEMAKE_MARK)] == [], killed
    assert leftovers(empty) == []
    assert audit.audit(Plan(load("tiny", empty.root)), empty.root, quiet=True) == []
    assert at_work(empty, "") == []
    assert "everything" in killed or not list(temporary.glob("touchstone*"))
    assert len(killed) == KILLS


def epoch(project):
    """The epoch that the training at work has kept; 0 for none."""
    for path in (project.root / ".touchstone/unfinished").glob("*.safetensors"):
        with contextlib.suppress(FileNotFoundError, SafetensorError):
            return int(load_file(path)["epoch"][0])
    return 0


LONG = {"classifiers": {"cnn": {"epochs": 60}}}
NETWORK = "results/tiny/train/cnn.0"


def train(project):
    line = [sys.executable, "-m", "snakemake", "--cores", "1", NETWORK, "--config", "study=tiny"]
    return subprocess.Popen(line, cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def undisturbed(made_once, tiny):
    """The tiny study with a training of many epochs."""

    def fill(project):
        write_study(project.root, "tiny", change=LONG)
        assert train(project).wait(STUDY_ENDS) == 0

    return made_once("undisturbed", fill, start=tiny)


@pytest.fixture
def untrained(tiny, tmp_path):
    """The tiny study before that training."""
    project = tiny.copy(tmp_path / "project")
    write_study(project.root, "tiny", change=LONG)
    yield project
    for process in at_work(project, ""):
        processes.end([process])


@pytest.mark.parametrize("kind", ["job", "job of the warm process", "warm process", "snakemake"])
def test_a_training_whose_job_or_snakemake_is_killed_goes_on_from_its_last_epoch(
    untrained, undisturbed, temporary, kind
):
    first = train(untrained)
    wait_for(lambda: epoch(untrained) >= 5, STUDY_ENDS)
    for process in victims(untrained, kind):
        os.kill(process.pid, signal.SIGKILL)
    first.wait(STUDY_ENDS)
    wait_for(lambda: not at_work(untrained, ""))
    assert not list(temporary.glob("touchstone*"))
    # A Snakemake that is killed leaves its lock. `touchstone run` removes it.
    shutil.rmtree(untrained.root / ".snakemake/locks", ignore_errors=True)
    reached = epoch(untrained)

    if reached:  # the killed process was not the one that trained
        again, seen = train(untrained), []
        while again.poll() is None:
            seen.append(epoch(untrained) or reached)
            time.sleep(0.05)
        assert reached >= 5
        assert min(seen) >= reached and again.returncode == 0

    assert untrained.digests(NETWORK) == undisturbed.digests(NETWORK)
    assert not list((untrained.root / ".touchstone/unfinished").glob("*.safetensors"))


def test_a_second_run_says_so_and_leaves_and_a_run_that_is_told_to_end_leaves_nothing_behind(empty):
    first = start(empty)
    wait_for(lambda: victims(empty, "job"))

    second = finish(empty, check=False)
    first.terminate()

    assert second.returncode == 3
    assert "another run is active in this folder" in second.stderr
    assert first.wait(60) == 143
    assert at_work(empty, "") == []
    assert not list((empty.root / ".snakemake/locks").glob("*"))
    assert leftovers(empty) == []


def test_beside_a_snakemake_typed_by_hand_a_run_leaves(empty):
    line = [sys.executable, "-m", "snakemake", "--cores", "1", "--config", "study=tiny"]
    by_hand = subprocess.Popen(
        line, cwd=empty.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    wait_for(lambda: victims(empty, "job"))

    second = finish(empty, check=False)
    by_hand.kill()
    by_hand.wait()

    assert second.returncode == 3
    assert f"Snakemake is running in this folder (process {by_hand.pid}" in second.stderr


def test_what_a_kill_left_behind_is_cleared_with_a_word(empty):
    run = start(empty, TOUCHSTONE_WARM="off")  # a warm process would end its jobs itself, ten seconds after the run
    jobs = wait_for(lambda: stopped_trainings(empty))
    for process in [*victims(empty, "touchstone"), *victims(empty, "snakemake")]:
        os.kill(process.pid, signal.SIGKILL)
    run.wait()

    log = (empty.root / "again.out").open("w+")
    line = empty.touchstone("run", "tiny", "--cores", "2")
    again = subprocess.Popen(line, cwd=empty.root, stdout=log, stderr=log, env=environment(), start_new_session=True)
    wait_for(lambda: not any(map(processes.is_alive, jobs)))
    wait_for(lambda: victims(empty, "job"))
    again.terminate()
    again.wait(60)

    told = (empty.root / "again.out").read_text()
    assert "an earlier run was killed; removed its lock on this folder" in told
    assert "ended the jobs of a killed run, which were still running" in told


def training(project):
    """The trainings at work, by their run records."""
    logs = project.root / "logs/tiny"
    trainings = {record["process"]["pid"] for record in run_records.read(logs) if record["rule"] == "train"}
    return [job for job in run_records.running(logs) if job.pid in trainings]


def stopped_trainings(project):
    """Stop the trainings at work, so that they do not end by themselves; return those that had not ended before."""
    for job in training(project):
        with contextlib.suppress(ProcessLookupError):
            os.kill(job.pid, signal.SIGSTOP)
    return training(project)


def wait_for(condition, seconds=60):
    last = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < last, "waited in vain"
        time.sleep(0.1)
    return result


@pytest.fixture
def small_disk(copied):
    """A finished study whose files lie on a disk of their own, and a function that changes how that disk is mounted."""
    folder = copied.root / "data/tiny"
    aside = copied.root / "aside"
    folder.rename(aside)
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", str(folder)], check=True)
    shutil.copytree(aside, folder, dirs_exist_ok=True)

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)

    yield copied, remount
    subprocess.run(["umount", "-l", str(folder)], check=True)


@NEEDS_ROOT
def test_a_full_disk_is_told_with_the_file_and_nothing_is_half_written(small_disk, with_one_figure):
    project, remount = small_disk
    for folder in ("data/tiny/attack", "data/tiny/evaluate", "results/tiny/attack", "results/tiny/evaluate"):
        shutil.rmtree(project.root / folder)
    used = sum(path.stat().st_size for path in (project.root / "data/tiny").rglob("*") if path.is_file())
    remount(f"size={used + 1_500_000}")

    full = finish(project, check=False)

    assert full.returncode == 1
    assert "No space left on device; nothing was written under that name" in full.stderr
    assert "data/tiny/" in full.stderr
    assert leftovers(project) == []
    found = audit.audit(Plan(load("tiny", project.root)), project.root, quiet=True)
    assert [finding for finding in found if finding.problem.startswith(("its bytes", "has no sidecar"))] == []

    remount("size=200m")
    finish(project)
    assert bytes_of(project) == bytes_of(with_one_figure)


@NEEDS_ROOT
def test_a_data_folder_that_cannot_be_written_to_is_told_before_any_job(small_disk):
    project, remount = small_disk
    remount("ro")

    refused = finish(project, check=False)

    assert refused.returncode == 1
    assert refused.stderr.strip() == "touchstone: data/tiny: this folder is not writable; nothing was run"


def test_a_clock_that_was_set_back_hides_and_repeats_nothing(copied):
    later = time.time() + 86_400
    for path in (path for name in ("data", "results", "reports", "src") for path in (copied.root / name).rglob("*")):
        os.utime(path, (later, later))
    assert not copied.planned()
    write_study(copied.root, "tiny", change={"margins": {"fab": {"steps": 3}}})
    planned = set(copied.planned())
    assert planned >= {"Measure outputs and margins of cnn.0", "Evaluate margin_consistency", "Write the report"}
    assert not [job for job in planned if job.startswith(("Train", "Attack"))]

    finish(copied)

    assert not copied.planned()
