"""How a run of Snakemake is ended and concluded: the last line, the exit code, a Snakemake that ignores SIGTERM."""

import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from touchstone.pipeline.orchestration import snakemake_run
from touchstone.pipeline.orchestration.events import EventFile


@pytest.fixture
def conclude(tmp_path):
    """A function that concludes a run with some events, and returns its exit code."""
    logs = tmp_path / "logs/x"
    logs.mkdir(parents=True)

    def end(code, *events, log=""):
        (logs / "snakemake.log").write_text(log)
        file = EventFile(logs / "events.jsonl")
        file.path.write_text("".join(json.dumps(event) + "\n" for event in events))
        return snakemake_run._conclude(code, logs / "snakemake.log", file, 12.3)

    return end


def test_a_snakemake_that_ignores_sigterm_is_killed_in_bounded_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(snakemake_run, "PATIENCE", 1.0)
    monkeypatch.setattr(snakemake_run, "REMINDER", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    snakemake = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    snakemake.stdout.readline()

    snakemake_run._take_down(snakemake, tmp_path)

    assert snakemake.returncode == -9
    assert "waiting for Snakemake to end" in capsys.readouterr().err


def test_a_run_whose_reader_has_gone_still_ends_snakemake(tmp_path, monkeypatch):
    """As by `timeout 45 touchstone run STUDY 2>&1 | head -8`."""

    def closed(*_, **__):
        raise BrokenPipeError

    popen, started = subprocess.Popen, []

    def start(*_, **options):
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[0]

    def terminated(*_):
        raise snakemake_run.Terminated

    monkeypatch.setattr(snakemake_run.subprocess, "Popen", start)
    monkeypatch.setattr(snakemake_run, "_follow", terminated)
    monkeypatch.setattr(snakemake_run, "REMINDER", 0.0)
    monkeypatch.setattr(snakemake_run.sys.stderr, "write", closed)

    code = snakemake_run._run(["snakemake"], tmp_path, SimpleNamespace(name_snakemake=lambda pid: None), "cpu")

    assert code == 128 + signal.SIGTERM
    assert started[0].poll() == -signal.SIGTERM


def test_an_interrupt_of_the_run_alone_reaches_snakemake(tmp_path, monkeypatch, capsys):
    """Ctrl-C reaches both, `kill -INT` only the run. Snakemake then has to start no new jobs, which it does at SIGTERM."""
    graceful = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print(1, flush=True); time.sleep(20)"
    )
    snakemake = subprocess.Popen([sys.executable, "-c", graceful], stdout=subprocess.PIPE)
    snakemake.stdout.readline()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(snakemake_run, "_follow", interrupted)

    assert snakemake_run._follow_to_the_end(snakemake, EventFile(tmp_path / "events.jsonl"), tmp_path)

    assert snakemake.returncode == 7
    assert "Stopping once the running jobs have finished" in capsys.readouterr().err


def test_the_last_line_says_where_the_report_is(conclude, capsys):
    assert conclude(0, {"planned": 8}, {"done": 8, "total": 8}) == 0

    assert capsys.readouterr().out == "8 jobs in 12 s. The report: reports/x/report.html\n"


def test_without_what_draws_it_the_last_line_names_no_report(conclude, capsys, monkeypatch):
    monkeypatch.setattr(snakemake_run.extras, "is_installed", lambda extra: False)

    assert conclude(0, {"planned": 8}, {"done": 8, "total": 8}) == 0

    said = capsys.readouterr().out
    assert "All numbers are in results/x, without a report" in said and "[reports]'" in said


def test_a_run_without_jobs_says_that_nothing_has_changed(conclude, capsys):
    assert conclude(0) == 0

    assert capsys.readouterr().out.startswith("Nothing to do: nothing has changed.")


def test_a_failure_keeps_the_exit_code_and_names_snakemakes_log(conclude, capsys):
    assert conclude(1, {"failed": "train", "log": ""}) == 1

    message = capsys.readouterr().err
    assert "the rule train failed" in message
    assert "the study did not finish; Snakemake's log: " in message


def test_what_snakemake_printed_before_it_could_log_is_shown(conclude, capsys):
    conclude(2, log="snakemake: error: unrecognized arguments: --corse\n")

    assert "unrecognized arguments: --corse" in capsys.readouterr().err


def test_messages_of_snakemake_are_shown_without_the_rest_of_its_log(conclude, capsys):
    conclude(1, {"error": "WorkflowError: the settings of study x are wrong"}, log="greeting\n")

    message = capsys.readouterr().err
    assert "the settings of study x are wrong" in message
    assert "greeting" not in message


def test_a_run_under_nohup_outlives_its_terminal():
    """nohup ignores SIGHUP, and its commands inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with snakemake_run._terminable():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_run_that_cannot_follow_snakemake_ends_it(tmp_path, monkeypatch):
    started = []

    def start(*_, **options):
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return started[0]

    def torn(*_):
        raise ValueError("a torn line")

    popen = subprocess.Popen
    monkeypatch.setattr(snakemake_run.subprocess, "Popen", start)
    monkeypatch.setattr(snakemake_run, "_follow", torn)

    with pytest.raises(ValueError, match="a torn line"):
        snakemake_run._run(["snakemake"], tmp_path, SimpleNamespace(name_snakemake=lambda pid: None), "cpu")

    assert started[0].returncode == -signal.SIGTERM


def test_a_full_disk_is_named_where_no_log_could_name_it(conclude, monkeypatch, capsys):
    monkeypatch.setattr(snakemake_run.shutil, "disk_usage", lambda folder: SimpleNamespace(free=4096))

    assert conclude(1) == 1

    assert re.search(r"the disk of \S+/logs/x is full", capsys.readouterr().err)


@pytest.mark.parametrize(("snakemake", "code"), [(1, 130), (-15, 130), (0, 0)])
def test_an_interrupted_run_that_did_not_finish_ends_with_130(tmp_path, monkeypatch, capsys, snakemake, code):
    monkeypatch.setattr(
        snakemake_run.subprocess, "Popen", lambda *_, **__: SimpleNamespace(pid=1, returncode=snakemake)
    )
    monkeypatch.setattr(snakemake_run, "_follow_to_the_end", lambda *_: True)
    claim = SimpleNamespace(name_snakemake=lambda pid: None)

    assert snakemake_run._run(["snakemake"], tmp_path, claim, "cpu") == code

    assert "did not finish" not in capsys.readouterr().err


@pytest.mark.parametrize(("study", "is_long"), [("tiny", False), ("digits", True)])
def test_snakemake_looks_for_jobs_less_often_in_a_study_of_many(tmp_path, monkeypatch, study, is_long):
    commands = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(snakemake_run, "_run", lambda command, *_: commands.append(command) or 0)

    assert snakemake_run.run(study, "1") == 0

    assert ("--max-jobs-per-timespan" in commands[0]) == is_long
