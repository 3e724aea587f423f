"""Which process is which: only one with equal id, start and command line is the same; what is ended, ends."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from touchstone.pipeline.jobs import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]


def test_a_process_lives_until_it_ends():
    running = subprocess.Popen(SLEEP)
    process = processes.started(running.pid)

    assert process.command == tuple(SLEEP)
    assert processes.is_alive(process)
    running.kill()
    running.wait()
    assert not processes.is_alive(process)


def test_another_process_under_the_same_id_is_not_touched():
    running = subprocess.Popen(SLEEP)
    process = processes.started(running.pid)

    for other in ({"start": process.start - 3}, {"command": ("python", "another")}):
        processes.end([dataclasses.replace(process, **other)])

    assert running.poll() is None
    processes.end([process])
    assert running.wait(10) == -15


def test_a_process_that_does_not_listen_is_ended_all_the_same(monkeypatch):
    monkeypatch.setattr(processes, "PATIENCE", 0.3)
    running = subprocess.Popen(DEAF, stdout=subprocess.PIPE)
    running.stdout.readline()

    processes.end([processes.started(running.pid)])

    assert running.wait(10) == -9


def test_a_process_of_another_user_is_left_alone(monkeypatch):
    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(processes.os, "kill", refuse)

    processes.end([processes.this_process()])


def test_a_snakemake_is_known_by_its_command_line():
    known = [
        ("/x/bin/snakemake", "-n"),
        ("/x/bin/python", "/x/bin/snakemake"),
        ("python", "-m", "snakemake", "--cores", "1"),
        ("python", "-u", "-m", "snakemake"),
    ]
    others = [("python", "-m", "touchstone", "run"), ("vim", "Snakefile"), ("grep", "-r", "snakemake")]

    assert all(map(processes._is_snakemake, known))
    assert not any(map(processes._is_snakemake, others))


def test_this_process_is_found_again():
    assert processes.this_process().pid == os.getpid()
    assert processes.is_alive(processes.this_process())


def test_a_process_is_the_same_after_json_and_a_boot_time_that_wobbles():
    process = processes.this_process()
    pid, start, command = json.loads(json.dumps(dataclasses.astuple(process)))

    assert processes.is_alive(processes.Process(pid, start + 1, tuple(command)))


def test_a_clock_that_is_set_back_changes_no_start(monkeypatch):
    process, boot = processes.this_process(), psutil.boot_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot - 86_400)
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: boot - 86_400)

    assert processes.this_process().start == process.start


def test_a_zombie_is_not_alive():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)

    assert processes.current(ended.pid) is None
    ended.wait()


def test_processes_are_found_by_their_folder(tmp_path):
    running = subprocess.Popen(SLEEP, cwd=tmp_path)
    processes.started(running.pid)

    assert [process.pid for process in processes.in_folder(tmp_path)] == [running.pid]
    assert processes.snakemakes(tmp_path) == []
    running.kill()
    running.wait()


def test_a_snakemake_in_the_folder_is_found_unless_it_takes_no_lock(tmp_path):
    package = tmp_path / "snakemake.py"
    package.write_text("import time; time.sleep(60)")
    folder = tmp_path / "clone"
    folder.mkdir()
    line = [sys.executable, "-m", "snakemake", "--cores", "1"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    both = [subprocess.Popen([*line, *more], cwd=folder, env=environment) for more in ([], ["--dry-run"])]
    for each in both:
        processes.started(each.pid)

    assert [process.pid for process in processes.snakemakes(folder)] == [both[0].pid]
    for each in both:
        each.kill()
        each.wait()


def test_sigterm_leaves_a_block_through_what_ends_its_jobs():
    before = signal.getsignal(signal.SIGTERM)
    ended = []

    with pytest.raises(SystemExit, match="143"), processes.leaving_at_sigterm():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            ended.append(True)

    assert ended and signal.getsignal(signal.SIGTERM) == before
