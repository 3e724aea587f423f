"""A study without Snakemake: the same jobs in order, one folder, a failure that names its log."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from sheet_study import STUDY
from touchstone import extras
from touchstone.numerics import devices
from touchstone.pipeline.jobs import environment, warm, warm_server
from touchstone.pipeline.orchestration import direct_run, locks
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[4]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHSTONE_WARM", "off")
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")
    for name in (*environment.environment(1), "PYTHONPATH"):  # a run sets these for its jobs; restored after the test
        monkeypatch.setenv(name, "1")
    Path("sheet.yaml").write_text(STUDY)
    return tmp_path


def test_a_study_runs_in_an_empty_folder_and_a_second_run_computes_nothing(folder, monkeypatch, capsys):
    monkeypatch.setattr(extras, "is_installed", lambda extra: False)  # matplotlib would take seconds

    assert direct_run.run("sheet.yaml", "2") == 0
    assert "pip install '.[reports]' in the clone of touchstone" in capsys.readouterr().out
    metrics = Path("data/sheet/metrics/sheet.csv")
    assert metrics.read_text().count("tested") > 0
    assert direct_run.run("sheet.yaml", "2") == 0
    record = json.loads(Path("logs/sheet/runs/evaluate/sheet.json").read_text())
    assert record["from_cache"] == 1


def test_a_failed_job_is_named_with_its_log_and_nothing_after_it_runs(folder, capsys):
    Path("sheet.yaml").write_text(STUDY.replace("e34d98", "000000"))

    assert direct_run.run("sheet.yaml", "1") == 1
    message = capsys.readouterr().err
    assert "fetch failed" in message and "logs/sheet/fetch/digits.log" in message and "sha256" in message
    assert not Path("data/sheet").exists()


def test_a_worker_that_is_late_starts_no_job_after_a_failure(folder, monkeypatch):
    plan = Plan(load("sheet.yaml"))
    run = direct_run._Run(plan, "sheet.yaml", Path("logs/sheet"))
    run._end()

    def start(*_, **__):
        raise AssertionError("a job was started")

    monkeypatch.setattr(direct_run.subprocess, "Popen", start)

    assert run._job((plan.rules["fetch"], (("source", "digits"),))) == 1


@pytest.mark.parametrize(("threads", "expected"), [(1, set()), (2, {"train"})])
def test_the_warm_process_refuses_only_jobs_of_several_threads(folder, monkeypatch, threads, expected):
    started = []

    def start(command, **options):
        started.append((command, options["env"]))
        return Mock(**{"wait.return_value": 0})

    monkeypatch.delenv("TOUCHSTONE_WARM")
    monkeypatch.setattr(subprocess, "Popen", start)
    Path("sheet.yaml").write_text(STUDY.replace("study: {", f"study: {{threads: {threads}, "))
    run, other = (direct_run._Run(Plan(load("sheet.yaml")), "sheet.yaml", Path("logs/sheet")) for _ in range(2))
    run.jobs(1)
    other._job((Rule("train", "train"), ()))  # the study itself trains no network

    (_, variables), *jobs = started
    server = warm_server.Server.__new__(warm_server.Server)
    server.environment = variables
    request = {"python": json.loads(json.dumps(warm.identity())), "folder": str(Path.cwd())}
    refused = {
        command[4] for command, own in jobs if server._refusal(request | {"environment": own, "arguments": command[3:]})
    }

    assert {command[4] for command, _ in jobs} >= {"fetch", "prepare", "evaluate", "train"}
    assert refused == expected


def test_a_missing_gpu_and_the_remarks_are_printed_before_the_jobs(folder, monkeypatch, capsys):
    Path("sheet.yaml").write_text(STUDY.replace("device: cpu", "device: cuda"))
    study = replace(load("sheet.yaml"), remarks=("a remark",))
    monkeypatch.setattr(devices, "GPUS", ())
    monkeypatch.setattr(direct_run, "load", lambda written: study)
    monkeypatch.setattr(direct_run._Run, "jobs", lambda run, at_once: 0)

    assert direct_run.run("sheet.yaml", "1") == 0

    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("touchstone: study.device is cuda, and this machine has no GPU")
    assert second == "touchstone: a remark"


def test_one_folder_has_one_run(folder):
    with locks.claimed(), pytest.raises(locks.Busy):
        direct_run.run("sheet.yaml", "1")


def test_every_job_comes_after_the_jobs_whose_files_it_reads():
    plan = Plan(load("tiny", ROOT))
    jobs = direct_run.graph(plan, pages=True)

    assert len(jobs) == len(plan.jobs())
    written = {job: {task.output for task in plan.tasks(job[0], **dict(job[1]))} for job in jobs}
    for job, before in jobs.items():
        read = {file for task in plan.tasks(job[0], **dict(job[1])) for file in task.input_files}
        assert read <= set().union(*(written[other] for other in before)), job
    assert not any(rule.step == "report" for rule, _ in direct_run.graph(plan, pages=False))
