"""Run records: what a job was, when, where and at what cost; one without an end tells a job that was cut off."""

import errno
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from touchstone.commands import job as job_command
from touchstone.numerics import cpu_paths
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.jobs.job import code_paths
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import git
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def job():
    plan = Plan(load("digits", ROOT))
    rule, wildcards = plan.rules["prepare"], {"examples": "uniform"}
    return rule.name, wildcards, plan.tasks(rule, **wildcards)


def only(logs):
    (record,) = run_records.read(logs)
    return record


def test_a_finished_job_has_times_place_process_versions_and_cost(tmp_path, job):
    with run_records.recorded(tmp_path, *job) as record:
        record["from_cache"] = 1

    found = only(tmp_path)
    assert found["start"] <= found["end"]
    assert 0 <= run_records.seconds(found) < 60
    assert found["outputs"] == ["data/digits/examples/uniform.safetensors"]
    assert found["process"]["command"]
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["peak_bytes"] > 1e6
    assert {"host", "commit", "dirty", "cpu_seconds", "machine"} <= found.keys()
    assert not found["failed"]
    assert run_records.running(tmp_path) == []


def test_a_job_that_is_still_at_work_is_found_by_its_record(tmp_path, job):
    with run_records.recorded(tmp_path, *job):
        (running,) = run_records.running(tmp_path)

        assert running.pid == only(tmp_path)["process"]["pid"]


def test_a_failed_job_is_recorded_as_failed(tmp_path, job):
    with pytest.raises(RuntimeError), run_records.recorded(tmp_path, *job):
        raise RuntimeError

    assert only(tmp_path)["failed"]


def test_jobs_of_the_warm_process_do_not_read_again_what_they_share(tmp_path, job, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("read in the job")

    for function in (run_records._commit, run_records._versions, code_paths):
        function.cache_clear()
    monkeypatch.setattr(job_command, "plan_of", lambda study: SimpleNamespace(jobs=list))
    job_command.plan_ahead("digits")
    for place, name in ((git, "output"), (run_records, "version"), (cpu_paths, "record")):
        monkeypatch.setattr(place, name, refuse)

    with run_records.recorded(tmp_path, *job):
        pass

    assert only(tmp_path)["versions"]["numpy"]
    assert all("numpy=" in code_paths(with_torch) for with_torch in (False, True))


def test_a_record_of_another_machine_names_no_process_of_this_one(tmp_path, job):
    with run_records.recorded(tmp_path, *job):
        (path,) = (tmp_path / "runs").rglob("*.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"}))

        assert run_records.running(tmp_path) == []


def test_a_job_whose_record_cannot_be_completed_has_finished_nevertheless(tmp_path, job, monkeypatch, capsys):
    def full(path, data, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with run_records.recorded(tmp_path, *job):
        monkeypatch.setattr(run_records.whole_files, "write_whole", full)

    message = capsys.readouterr().err
    assert message.startswith(f"touchstone: {tmp_path}/runs/prepare/uniform.json: No space left on device. ")
    assert "Only this record of the job is incomplete." in message
