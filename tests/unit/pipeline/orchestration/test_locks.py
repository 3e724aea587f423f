"""One run at a time: the lock goes with its process; a Snakemake whose run was killed is waited for, any other is refused."""

import json
import os
import subprocess
import sys

import pytest

from touchstone.pipeline.jobs import processes
from touchstone.pipeline.orchestration import locks

HOLD = """
import sys
from touchstone.pipeline.orchestration import locks
with locks.claimed():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def snakemake(folder, tmp_path_factory):
    """A process in this folder whose command line is that of Snakemake."""
    place = tmp_path_factory.mktemp("package")
    (place / "snakemake.py").write_text("import sys; sys.stdin.read()")
    line = [sys.executable, "-m", "snakemake", "--cores", "1"]
    running = subprocess.Popen(line, stdin=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(place)})
    processes.started(running.pid)
    yield running
    running.kill()
    running.wait()


def test_a_second_claim_is_refused_and_names_the_first():
    with (
        locks.claimed(),
        pytest.raises(locks.Busy, match=rf"another run is active in this folder \(process {os.getpid()}\)"),
        locks.claimed(),
    ):
        pass

    with locks.claimed():
        pass


def test_the_lock_of_a_killed_run_is_free():
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    run = subprocess.Popen([sys.executable, "-c", HOLD], **pipes)
    assert run.stdout.readline() == b"held\n"
    with pytest.raises(locks.Busy, match=rf"\(process {run.pid}\)"):
        locks.check_free()

    run.kill()
    run.wait()

    locks.check_free()
    with locks.claimed():
        pass


@pytest.mark.parametrize("text", ['{"pid"', "[]", "", "{}"])
def test_a_damaged_note_of_the_run_before_is_no_hindrance(text):
    locks.HOLDER.parent.mkdir()
    locks.HOLDER.write_text(text)

    with locks.claimed():
        pass


def test_a_folder_where_nothing_ran_is_free_and_stays_empty(folder):
    locks.check_free()

    assert list(folder.iterdir()) == []


def test_beside_a_snakemake_that_was_started_by_hand_a_run_is_refused(snakemake):
    with (
        pytest.raises(locks.Busy, match=rf"Snakemake is running in this folder \(process {snakemake.pid}: "),
        locks.claimed(),
    ):
        pass


@pytest.mark.parametrize("host", ["here", "elsewhere"])
def test_the_snakemake_of_a_killed_run_on_this_host_is_waited_for(snakemake, capsys, monkeypatch, host):
    locks.Claim().name_snakemake(snakemake.pid)
    if host == "elsewhere":
        locks.HOLDER.write_text(json.dumps(json.loads(locks.HOLDER.read_text()) | {"host": "elsewhere"}))
        with pytest.raises(locks.Busy, match="Snakemake is running in this folder"), locks.claimed():
            pass
        return
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: (snakemake.kill(), snakemake.wait()))

    with locks.claimed():
        assert snakemake.poll() is not None

    assert f"its Snakemake (process {snakemake.pid}) is still running; waiting for it to end" in capsys.readouterr().err


def test_a_snakemake_of_a_killed_run_that_hangs_without_a_job_is_ended(snakemake, capsys, monkeypatch):
    monkeypatch.setattr(locks, "IDLE", 0.2)
    locks.Claim().name_snakemake(snakemake.pid)

    with locks.claimed():
        assert snakemake.wait(5) != 0

    said = capsys.readouterr().err
    assert f"To end it now: kill -9 {snakemake.pid}" in said
    assert "it has had no job for 0 seconds; ending it" in said


def test_a_snakemake_with_a_job_is_not_ended(monkeypatch):
    monkeypatch.setattr(locks, "IDLE", 1.0)
    monkeypatch.setattr(processes, "end", lambda them: pytest.fail("ended"))
    line = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(2.5)'])"
    busy = subprocess.Popen([sys.executable, "-c", line])
    process = processes.started(busy.pid)
    while not processes.has_children(process):
        pass
    monkeypatch.setattr(locks.processes, "is_alive", lambda one: processes.has_children(one))

    locks._wait_for(process)

    busy.wait()


def test_locks_of_snakemake_are_removed_and_counted():
    assert not locks.remove_stale()
    locks.SNAKEMAKE_LOCKS.mkdir(parents=True)
    (locks.SNAKEMAKE_LOCKS / "0.input.lock").write_text("x")

    assert locks.remove_stale()

    assert list(locks.SNAKEMAKE_LOCKS.iterdir()) == []


def test_a_lock_of_another_user_is_kept_because_the_snakemake_behind_it_cannot_be_seen(monkeypatch):
    locks.SNAKEMAKE_LOCKS.mkdir(parents=True)
    lock = locks.SNAKEMAKE_LOCKS / "0.input.lock"
    lock.write_text("x")
    owner = lock.stat().st_uid
    monkeypatch.setattr(locks.os, "getuid", lambda: owner + 1)

    with pytest.raises(locks.Busy, match=rf"0\.input\.lock belongs to the user {owner}, .*if there is none, delete"):
        locks.remove_stale()

    assert lock.exists()
