"""What a person sees of a run: lines with the time that is left, running long jobs, the failed job's own log."""

import io
from pathlib import Path

import pytest

from touchstone.pipeline.orchestration import display
from touchstone.pipeline.orchestration.events import Failure, RunState

COMMAND = "set -euo pipefail;  PYTHONPATH=src python -m touchstone job abc --output 'a\nb' > {log} 2>&1"
EXCEPTION = "RuleException:\nCalledProcessError in file \"Snakefile\", line 1:\nCommand '{command}' {end}"


@pytest.mark.parametrize(("done", "seconds", "words"), [
    (1, 60, ""), (10, 60, ", about 3 min left"), (30, 60, ", less than a minute left"), (40, 60, ""),
])  # fmt: skip
def test_the_time_that_is_left_is_estimated_once_a_tenth_is_done(done, seconds, words):
    assert display.time_left(done, 40, seconds) == words


def test_lines_come_every_few_seconds_and_at_the_end(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = display.Lines(stream)

    for second, done, total in [(0, 0, 0), (60, 26, 732), (62, 27, 732), (66, 27, 732), (67, 27, 732), (68, 732, 732)]:
        now[0] = second
        lines.show(done, total)

    assert stream.getvalue() == "26 of 732 jobs done\n27 of 732 jobs done\n732 of 732 jobs done\n"


def test_lines_say_how_long_the_rest_takes(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(display.time, "monotonic", lambda: now[0])
    stream = io.StringIO()
    lines = display.Lines(stream)
    now[0] = 60.0

    lines.show(10, 40)

    assert stream.getvalue() == "10 of 40 jobs done, about 3 min left\n"


def test_long_jobs_are_read_from_their_progress_files(tmp_path):
    folder = tmp_path / "progress"
    folder.mkdir()
    (folder / "a.json").write_text('{"label": "cnn.0", "done": 3, "total": 9}')
    (folder / "b.json").write_text("{")

    assert list(display.long_jobs(Path(tmp_path))) == [("cnn.0", (3, 9))]


def failed(tmp_path, text="words", *, end="returned non-zero exit status 1.", rules=("attack_main",)):
    """A state with failed jobs that share a log, and what Snakemake says of their commands."""
    log = tmp_path / "job.log"
    log.write_text(text)
    error = EXCEPTION.format(command=COMMAND.format(log=log), end=end)
    other = EXCEPTION.format(
        command=COMMAND.format(log=tmp_path / "other.log"), end="returned non-zero exit status 137."
    )
    return RunState(failures=[Failure(rule, str(log)) for rule in rules], errors=[other, error])


def test_a_failure_shows_the_jobs_own_log(tmp_path, capsys):
    display.print_failures(failed(tmp_path, "touchstone: data/x: damaged\n"))

    expected = f"the rule attack_main failed\n  touchstone: data/x: damaged\n  (whole log: {tmp_path / 'job.log'})\n"
    assert capsys.readouterr().err == f"touchstone: {expected}"


def test_the_same_message_of_many_jobs_is_shown_once(tmp_path, capsys):
    display.print_failures(failed(tmp_path, rules=("train", "train", "attack_main")))

    assert capsys.readouterr().err.count("failed") == 1


def test_failures_with_empty_logs_are_all_named(tmp_path, capsys):
    display.print_failures(failed(tmp_path, "", rules=("train", "attack_main")))

    message = capsys.readouterr().err
    assert message.count("failed") == message.count("job.log is empty") == 2


def test_a_job_without_a_log_is_named(capsys):
    display.print_failures(RunState(failures=[Failure("train", "")]))

    assert capsys.readouterr().err == "touchstone: the rule train failed\n"


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("returned non-zero exit status 137.", "was killed (SIGKILL). Most likely the machine ran out of memory"),
        ("died with <Signals.SIGKILL: 9>.", "was killed (SIGKILL). Most likely"),
        ("returned non-zero exit status 143.", "was terminated from outside (SIGTERM)"),
        ("died with <Signals.SIGTERM: 15>.", "was terminated from outside (SIGTERM)"),
        ("returned non-zero exit status 139.", "crashed (SIGSEGV)"),
        ("returned non-zero exit status 190.", "was ended by signal 62"),
    ],
)
def test_a_job_that_a_signal_ended_is_not_one_that_failed_by_itself(tmp_path, capsys, end, words):
    display.print_failures(failed(tmp_path, "", end=end))

    assert f"the rule attack_main failed: its job {words}" in capsys.readouterr().err


def test_without_a_failed_job_snakemakes_messages_are_shown(capsys):
    display.print_failures(RunState(errors=["WorkflowError: the settings of study x are wrong"]))

    assert capsys.readouterr().err == "WorkflowError: the settings of study x are wrong\n"


def test_a_run_goes_on_when_nobody_reads_its_lines_any_more():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    display.Lines(Closed()).show(1, 1)
