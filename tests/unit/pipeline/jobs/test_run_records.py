"""Run records: what a job was, when, where and at what cost; one without an end tells a job that was cut off."""

import errno
import json
import sys
import time

import pytest

from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.jobs.job_plan import JobPlan

JOB = JobPlan("digits", "train", "cnn.0", (), {}, {})


def only(logs):
    (record,) = run_records.read(logs)
    return record


def test_a_finished_job_has_times_place_process_versions_and_cost(tmp_path):
    with run_records.recorded(tmp_path, JOB) as record:
        record["computed"] = 1

    found = only(tmp_path)
    assert found["start"] <= found["end"]
    assert 0 <= run_records.seconds(found) < 60
    assert (found["rule"], found["name"], found["computed"]) == ("train", "cnn.0", 1)
    assert found["process"]["command"]
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["peak_bytes"] > 1e6
    assert {"host", "commit", "dirty", "cpu_seconds", "machine"} <= found.keys()
    assert not found["failed"]
    assert run_records.running(tmp_path) == []


def test_a_job_that_is_still_at_work_is_found_by_its_record(tmp_path):
    with run_records.recorded(tmp_path, JOB):
        (running,) = run_records.running(tmp_path)

        assert running.pid == only(tmp_path)["process"]["pid"]


def test_a_failed_job_is_recorded_as_failed(tmp_path):
    with pytest.raises(RuntimeError), run_records.recorded(tmp_path, JOB):
        raise RuntimeError

    assert only(tmp_path)["failed"]


def test_a_record_of_another_machine_names_no_process_of_this_one(tmp_path):
    with run_records.recorded(tmp_path, JOB):
        (path,) = (tmp_path / "runs").rglob("*.json")
        path.write_text(json.dumps(json.loads(path.read_text()) | {"host": "elsewhere"}))

        assert run_records.running(tmp_path) == []


@pytest.mark.parametrize("damaged", [b"", b"[]", b"{", b"\xff", b'{"computed": 1}'])
def test_a_damaged_record_is_left_out(tmp_path, damaged):
    with run_records.recorded(tmp_path, JOB):
        (tmp_path / "runs/train/other.json").write_bytes(damaged)

        assert len(run_records.read(tmp_path)) == len(run_records.running(tmp_path)) == 1


def test_a_job_whose_record_cannot_be_completed_has_finished_nevertheless(tmp_path, monkeypatch, capsys):
    def full(path, data, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with run_records.recorded(tmp_path, JOB):
        monkeypatch.setattr(run_records.whole_files, "write_whole", full)

    message = capsys.readouterr().err
    assert message.startswith(f"touchstone: {tmp_path}/runs/train/cnn.0.json: No space left on device. ")
    assert "Only this record of the job is incomplete." in message


def work():
    """Use some milliseconds of the processor, which is what the record rounds to."""
    end = time.process_time() + 0.004
    while time.process_time() < end:
        pass


def test_what_a_job_cost_when_it_computed_most_stays_known_after_runs_that_take_its_results_from_the_store(tmp_path):
    for computed in (0, 3, 1, 0):
        with run_records.recorded(tmp_path, JOB) as record:
            record["computed"] = computed
            work()

    most = run_records.fullest(only(tmp_path))
    assert most["computed"] == 3
    assert most["cpu_seconds"] < only(tmp_path)["cpu_seconds"]  # of this process, which has gone on

    with run_records.recorded(tmp_path, JOB) as record:
        record["computed"] = 3
        work()
    assert run_records.fullest(only(tmp_path))["cpu_seconds"] > most["cpu_seconds"]
