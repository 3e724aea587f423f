"""Which process is which: only one with equal id, start and command line is the same; what ends, ends."""

import dataclasses
import os
import subprocess
import sys

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
    assert processes.lives(process)
    running.kill()
    running.wait()
    assert not processes.lives(process)


def test_another_process_under_the_same_id_is_not_touched():
    running = subprocess.Popen(SLEEP)
    process = processes.started(running.pid)

    for other in ({"start": process.start - 1}, {"command": ("python", "another")}):
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


def test_a_snakemake_is_known_by_its_command_line():
    known = [
        ("/x/bin/snakemake", "-n"),
        ("/x/bin/python", "/x/bin/snakemake"),
        ("python", "-m", "snakemake", "--cores", "1"),
    ]
    others = [("python", "-m", "touchstone", "run"), ("vim", "Snakefile"), ("grep", "-r", "snakemake")]

    assert all(map(processes._is_snakemake, known))
    assert not any(map(processes._is_snakemake, others))


def test_this_process_is_found_again():
    assert processes.own().pid == os.getpid()
    assert processes.lives(processes.own())
