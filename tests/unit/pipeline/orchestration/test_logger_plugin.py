"""The logger plugin: records of Snakemake become events; a real Snakemake."""

import json
import logging
import os
import re
from pathlib import Path

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

import command_server
import snakemake_logger_plugin_touchstone as plugin
from touchstone.pipeline.orchestration.events import EventFile, Failure, RunState

SNAKEFILE = """
rule all:
    input: "a", "b", "c"

rule good:
    output: "{name,[ab]}"
    shell: "echo x > {output}"

rule bad:
    output: "c"
    log: "c.log"
    shell: "python -c 'import os; os.kill(os.getpid(), 9)' > {log} 2>&1"
"""


def record(event=None, level=logging.INFO, message="", **more):
    made = logging.LogRecord("snakemake", level, "x.py", 1, message, (), None)
    made.__dict__.update(event=event, **more)
    return made


@pytest.mark.parametrize(
    ("seen", "event"),
    [
        (record(LogEvent.RUN_INFO, stats={"train": 2, "all": 1, "total": 9}), {"planned": 8}),
        (record(LogEvent.PROGRESS, done=3, total=9), {"done": 3, "total": 8}),
        (record(LogEvent.PROGRESS, done=9, total=9), {"done": 8, "total": 8}),
        (record(LogEvent.JOB_ERROR, rule_name="train", log=["a.log", "b"]), {"failed": "train", "log": "a.log"}),
        (record(LogEvent.JOB_ERROR, rule_name="train", log=[]), {"failed": "train", "log": ""}),
        (record(LogEvent.ERROR, logging.ERROR, "broken"), {"error": "broken"}),
        (record(None, logging.ERROR, "broken"), {"error": "broken"}),
        (record(None, logging.WARNING, "look out"), None),
        (record(LogEvent.JOB_STARTED, jobs=[1]), None),
    ],
)
def test_records_become_events(seen, event):
    assert plugin.event_of(seen) == event


def test_a_line_that_a_full_disk_cut_is_skipped(tmp_path):
    events = EventFile(tmp_path / "events.jsonl")
    events.path.write_text('{"planned": 8}\n{"done": 3, "to\n{"done": 5, "total": 8}\n')

    assert events.read() == RunState(done=5, total=8)


def test_events_add_up():
    state = RunState()
    failed = {"failed": "train", "log": "x"}
    for event in ({"planned": 8}, {"done": 3, "total": 8}, failed, {"error": "e"}, failed, {"new": 1}):
        state.add(event)

    assert state == RunState(3, 8, [Failure("train", "x")], ["e"])


def test_a_file_of_events_is_read_as_it_grows_by_whole_lines(tmp_path):
    (tmp_path / "events").write_text('{"planned": 99}\n')
    file = EventFile(tmp_path / "events")
    assert file.read() == RunState()

    with file.path.open("a", buffering=1) as stream:
        stream.write('{"done": 3, "total": 8}\n{"done": 4')
        stream.flush()
        assert file.read().done == 3
        stream.write(', "total": 8}\n')
        stream.flush()
        assert file.read().done == 4


def snakemake(folder, *arguments):
    """What `snakemake ARGUMENTS` says and ends in, in a fork that has its libraries."""
    return command_server.server().run(["-m", "snakemake", *arguments], folder, dict(os.environ))


def run(folder, *arguments):
    (folder / "Snakefile").write_text(SNAKEFILE)
    return snakemake(folder, "--cores", "1", "--keep-going", "--logger", "touchstone", *arguments)


def test_a_snakemake_writes_its_events_to_the_file(tmp_path):
    done = run(tmp_path, "--logger-touchstone-events", "events.jsonl")

    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    state = RunState()
    for event in events:
        state.add(event)
    (failure,) = state.failures
    assert (state.done, state.total, failure) == (2, 3, Failure("bad", "c.log"))
    assert state.signal_of(failure) == "SIGKILL"
    assert "2 of 4 steps" in done.stderr  # Snakemake's own text is still there


def test_without_a_file_a_snakemake_prints_lines_and_failures_for_people(tmp_path):
    done = run(tmp_path)

    assert done.returncode == 1
    assert re.search(r"^\d of 3 jobs done", done.stderr, re.MULTILINE)
    assert done.stderr.count("touchstone: the rule bad failed: its job was killed (SIGKILL).") == 1
    assert "steps" not in done.stderr


def test_a_mistake_in_the_snakefile_is_an_error_in_the_events(tmp_path):
    (tmp_path / "Snakefile").write_text("rule all:\n    input: 'nobody makes this'\n")
    snakemake(tmp_path, "-c1", "--logger", "touchstone", "--logger-touchstone-events", "events")

    (event,) = map(json.loads, Path(tmp_path / "events").read_text().splitlines())
    assert "MissingInputException" in event["error"]
