"""Jobs in forks of a process that has their packages."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from touchstone.pipeline.jobs import warm

OWNER = """
import json, os, subprocess, sys, time
from touchstone.pipeline.jobs import warm
warm.PACKAGES = ()
warm.start()
print(os.environ[warm.VARIABLE], flush=True)
sys.stdin.read()
"""
CLIENT = """
import sys
from touchstone.pipeline.jobs import warm
code = warm.run(sys.argv[1:], 1)
print("alone" if code is None else f"code {code}")
"""


@contextlib.contextmanager
def announcing():
    """A process that stands for a workflow which has announced itself, and its announcement."""
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    announced = owner.stdout.readline().strip()
    yield owner, announced
    owner.kill()
    owner.wait()


@pytest.fixture
def workflow():
    """One that a test may end."""
    with announcing() as found:
        yield found


@pytest.fixture(scope="module")
def shared():
    """The announcement of one that goes on: its jobs start a process with torch, which takes three seconds."""
    with announcing() as (_, announced):
        yield announced


def client(announced, *words, **options):
    environment = os.environ | {warm.VARIABLE: announced}
    command = [sys.executable, "-c", CLIENT, *words]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def ends(process):
    return process.communicate(timeout=120)


def test_a_command_runs_in_a_fork_with_the_folder_and_streams_of_its_client(workflow, tmp_path):
    owner, announced = workflow

    out, err = ends(client(announced, "list", "attacks", cwd=tmp_path))
    assert "pgd" in out
    assert out.endswith("code 0\n")
    out, err = ends(client(announced, "check", "nothing"))
    assert out == "code 1\n"
    assert "nothing" in err
    out, err = ends(client(announced, "--nonsense"))
    assert out == "code 2\n"

    folder, pid = json.loads(announced)
    assert pid == owner.pid
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + 20
    while Path(folder).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(folder).exists(), "the process ends with its workflow, and leaves no folder"


def test_a_job_whose_client_is_killed_ends(shared, tmp_path, monkeypatch):
    """It waits for a plan that nobody writes."""
    monkeypatch.setenv("TOUCHSTONE_PLAN", str(tmp_path))
    os.mkfifo(tmp_path / "abc.json")
    waiting = client(shared, "job", "abc", "--output", "x", cwd=tmp_path)
    until(lambda: len(working_in(tmp_path)) == 2)

    waiting.kill()
    waiting.wait()

    until(lambda: not working_in(tmp_path))


def until(holds):
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert holds()


def working_in(folder):
    """The processes in a folder: a client, and the fork of its job."""
    return [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(folder)]


@pytest.mark.parametrize("announced", ["", warm.OFF])
def test_without_a_workflow_a_job_runs_in_its_own_process(announced):
    assert ends(client(announced or warm.OFF, "list"))[0] == "alone\n"


def test_a_job_of_several_threads_runs_in_its_own_process(shared, monkeypatch):
    monkeypatch.setenv(warm.VARIABLE, shared)

    assert warm.run(["list"], 2) is None


def test_a_workflow_of_another_machine_or_one_that_has_ended_is_no_obstacle(tmp_path, monkeypatch):
    ended = subprocess.Popen(["true"])
    ended.wait()
    monkeypatch.setenv(warm.VARIABLE, json.dumps([str(tmp_path / "gone"), ended.pid]))

    assert warm.run(["list"], 1) is None
    assert not (tmp_path / "gone").exists()


def test_a_long_folder_of_temporary_files_is_no_obstacle(tmp_path, monkeypatch):
    """The path of a socket is short, so its folder lies in /tmp then."""
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))

    with announcing() as (_, announced):
        assert ends(client(announced, "list"))[0].endswith("code 0\n")


def test_many_jobs_at_once_all_answer(shared):
    answers = []

    def one():
        answers.append(ends(client(shared, "list", "attacks"))[0][-7:])

    threads = [threading.Thread(target=one) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == ["code 0\n"] * 12


def test_ctrl_c_in_the_terminal_of_the_workflow_does_not_reach_the_process(shared):
    assert ends(client(shared, "list"))[0].endswith("code 0\n")

    assert os.getsid(server_of(shared)) == server_of(shared), "it has a session of its own"


def server_of(announced):
    (server,) = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdecimal() and serves(p, announced)]
    return server


def test_after_the_process_was_killed_the_next_job_starts_another(shared):
    assert ends(client(shared, "list"))[0].endswith("code 0\n")
    killed = server_of(shared)
    os.kill(killed, signal.SIGKILL)
    until(lambda: not psutil.pid_exists(killed) or psutil.Process(killed).status() == "zombie")

    assert ends(client(shared, "list"))[0].endswith("code 0\n")
    assert server_of(shared) != killed


def test_a_workflow_whose_jobs_compute_nothing_leaves_no_folder(workflow):
    owner, announced = workflow
    folder = Path(json.loads(announced)[0])

    owner.communicate("", timeout=60)

    assert not folder.exists()


def test_a_process_that_starts_after_its_workflow_was_killed_ends_and_leaves_no_folder(workflow):
    owner, announced = workflow
    folder = Path(json.loads(announced)[0])
    owner.kill()
    owner.wait()

    assert ends(client(announced, "list"))[0] == "alone\n"
    assert not folder.exists()


def serves(place, announced):
    try:
        return json.loads(announced)[0].encode() in (place / "cmdline").read_bytes()
    except OSError:
        return False


def test_the_process_runs_no_operation_of_torch():
    """After one with several threads a fork would hang: imports alone start no thread."""
    code = (
        "import importlib, pathlib\n"
        "from touchstone.pipeline.jobs import environment, warm\n"
        "environment.set_environment(1)\n"
        "for name in (*warm.PACKAGES, 'touchstone.pipeline.jobs.adapters', 'touchstone.commands.job'):\n"
        "    importlib.import_module(name)\n"
        "print(len(list(pathlib.Path('/proc/self/task').iterdir())))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "1\n"
