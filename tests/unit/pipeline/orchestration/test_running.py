"""What a person sees of a run: counts read from Snakemake's words, the failing job's own log, one line at the end."""

import subprocess
import sys
from pathlib import Path

import pytest

from touchstone.pipeline.orchestration import running

RUNNING = """Job stats:
job      count
-----  -------
train        2
total        9

[today]
Job 3: Train cnn.0
1 of 9 steps (11%) done
Finished jobid: 4 (Rule: train)
3 of 9 steps (33%) done
"""
FAILED = """Error in rule attack_main:
    message: None
    jobid: 1
    output: x
    log: {log} (check log file(s) for error details)
    shell:
        python
"""


def test_progress_is_read_from_snakemakes_words():
    assert running._count("") == (0, 0)
    assert running._count(RUNNING.split("[today]")[0]) == (0, 8)
    assert running._count(RUNNING) == (3, 8)
    assert running._count(RUNNING.replace("3 of 9", "9 of 9")) == (8, 8)


@pytest.mark.parametrize(("done", "seconds", "told"), [
    (1, 60, ""), (10, 60, ", about 3 min left"), (30, 60, ", less than a minute left"), (40, 60, ""),
])  # fmt: skip
def test_the_time_that_is_left_is_told_once_there_is_something_to_tell_it_by(done, seconds, told):
    assert running._left(done, 40, seconds) == told


def test_a_snakemake_that_does_not_listen_is_ended_in_bounded_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(running, "LONGEST", 1.0)
    monkeypatch.setattr(running, "TELLING", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    snakemake = subprocess.Popen([sys.executable, "-c", deaf], stdout=subprocess.PIPE)
    snakemake.stdout.readline()

    running._take_down(snakemake, tmp_path)

    assert snakemake.returncode == -9
    assert "waiting for Snakemake to end" in capsys.readouterr().err


def test_the_last_line_says_where_the_report_is(tmp_path, capsys):
    log = tmp_path / "log"
    log.write_text(RUNNING.replace("3 of 9", "9 of 9"))

    assert running._conclude(0, log, "reports/x/report.html", 12.3) == 0

    assert capsys.readouterr().out == "8 jobs in 12 s. The report: reports/x/report.html\n"


def test_a_failure_shows_the_jobs_own_log_and_keeps_the_exit_code(tmp_path, capsys):
    job, log = tmp_path / "job.log", tmp_path / "log"
    job.write_text("touchstone: data/x: damaged\n")
    log.write_text(FAILED.format(log=job))

    assert running._conclude(1, log, "reports/x/report.html", 1.0) == 1

    told = capsys.readouterr().err
    assert "the rule attack_main failed" in told
    assert "data/x: damaged" in told
    assert str(job) in told


COMMAND = "set -euo pipefail;  PYTHONPATH=src python -m touchstone job x --study='a\nb' 2> {log}"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("returned non-zero exit status 137.", "was killed (SIGKILL). Most likely the machine ran out of memory"),
        ("died with <Signals.SIGKILL: 9>.", "was killed (SIGKILL). Most likely"),
        ("returned non-zero exit status 143.", "was told to end from outside (SIGTERM)"),
        ("died with <Signals.SIGTERM: 15>.", "was told to end from outside (SIGTERM)"),
        ("returned non-zero exit status 139.", "crashed (SIGSEGV)"),
        ("returned non-zero exit status 190.", "was ended by signal 62"),
    ],
)
def test_a_job_that_a_signal_ended_is_not_one_that_failed_by_itself(tmp_path, capsys, end, words):
    job, other, log = tmp_path / "job.log", tmp_path / "other.log", tmp_path / "log"
    job.touch()
    command = COMMAND.format(log=job)
    exception = 'RuleException:\nCalledProcessError in file "Snakefile", line 1:\n'
    others = f"{exception}Command '{COMMAND.format(log=other)}' returned non-zero exit status 1.\n"
    log.write_text(f"{exception}Command '{command}' {end}\n{others}{FAILED.format(log=job)}")

    running._conclude(1, log, "reports/x/report.html", 1.0)

    told = capsys.readouterr().err
    assert f"the rule attack_main failed: its job {words}" in told
    assert f"{job} is empty" in told


def test_a_job_that_failed_by_itself_was_not_killed(tmp_path, capsys):
    job, log = tmp_path / "job.log", tmp_path / "log"
    job.write_text("words")
    log.write_text(f"Command '{COMMAND.format(log=job)}' returned non-zero exit status 1.\n{FAILED.format(log=job)}")

    running._conclude(1, log, "reports/x/report.html", 1.0)

    assert "the rule attack_main failed\n  words" in capsys.readouterr().err


def test_without_a_failed_job_snakemakes_last_words_are_shown(tmp_path, capsys):
    log = tmp_path / "log"
    log.write_text("WorkflowError: the settings of study x are wrong\n")

    running._conclude(1, log, "reports/x/report.html", 1.0)

    assert "the settings of study x are wrong" in capsys.readouterr().err


def test_long_jobs_are_listed_from_their_progress_files(tmp_path):
    folder = tmp_path / "progress"
    folder.mkdir()
    (folder / "a.json").write_text('{"label": "cnn.0", "done": 3, "total": 9}')
    (folder / "b.json").write_text("{")

    assert list(running._long_jobs(Path(tmp_path))) == [("cnn.0", (3, 9))]
