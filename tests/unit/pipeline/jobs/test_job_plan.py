"""The plan of one job, as its process reads it."""

import json
from pathlib import Path

import pytest

from touchstone.pipeline.jobs import job_plan
from touchstone.pipeline.jobs.job_plan import JobError

SET, NETWORK = "results/made/prepare/made/examples/a.safetensors", "results/made/train/cnn.0/networks/cnn.0.safetensors"
TASK = {"step": "train", "inputs": {"train": SET}, "output": NETWORK, "settings": {}, "code": "sha256:1"}
PLAN = {"study": "made", "rule": "train", "name": "cnn.0", "inputs": ["prepare/made"], "tasks": [TASK]}
HERE = ("results/made/prepare/made",), "results/made/train/cnn.0"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(job_plan.VARIABLE, raising=False)
    Path(".touchstone/plan/code").mkdir(parents=True)
    Path(".touchstone/plan/abc.json").write_text(json.dumps(PLAN))
    Path(".touchstone/plan/code/1.json").write_text('{"definitions": {}, "packages": {"torch": "2"}}')


def test_a_plan_says_what_a_job_does_and_where_its_files_lie():
    plan = job_plan.load("abc", *HERE)

    assert (plan.study, plan.rule, plan.name) == ("made", "train", "cnn.0")
    assert [task.as_json() for task in plan.tasks] == [TASK]
    assert [plan.place(file) for file in (SET, NETWORK)] == [Path(SET), Path(NETWORK)]
    assert plan.code("sha256:1")["packages"] == {"torch": "2"}


def test_folders_may_lie_elsewhere_as_on_another_machine():
    plan = job_plan.load("abc", ["/scratch/7/made"], "/scratch/8/cnn.0")

    assert plan.place(SET) == Path("/scratch/7/made/examples/a.safetensors")
    assert plan.place(NETWORK) == Path("/scratch/8/cnn.0/networks/cnn.0.safetensors")


@pytest.mark.parametrize(
    ("rule", "output", "elsewhere"),
    [("fetch", "data/raw/digits", "/scratch/digits"), ("report", "reports/made/report.html", "/scratch/report.html")],
)
def test_raw_files_and_a_report_may_lie_elsewhere_too(rule, output, elsewhere):
    written = PLAN | {"rule": rule, "inputs": [], "tasks": [TASK | {"step": rule, "inputs": {}, "output": output}]}
    Path(".touchstone/plan/abc.json").write_text(json.dumps(written))

    assert job_plan.load("abc", [], elsewhere).place(output) == Path(elsewhere)


def test_plans_may_lie_elsewhere(tmp_path, monkeypatch):
    Path(".touchstone/plan").rename("plans")
    monkeypatch.setenv(job_plan.VARIABLE, str(tmp_path / "plans"))

    assert job_plan.load("abc", *HERE).code("sha256:1")


def test_a_missing_plan_is_named_with_what_to_do():
    with pytest.raises(JobError, match=r"^\.touchstone/plan/xyz\.json: there is no such plan; .* run it again$"):
        job_plan.load("xyz", *HERE)
    with pytest.raises(JobError, match=r"^\.touchstone/plan/code/2\.json: there is no such plan"):
        job_plan.load("abc", *HERE).code("sha256:2")


@pytest.mark.parametrize("text", ["", "{", "\0" * 100, "[1]"])
def test_a_plan_that_a_power_cut_has_damaged_is_named_with_what_to_do(text):
    for place in ("abc.json", "code/1.json"):
        Path(".touchstone/plan", place).write_text(text)

    with pytest.raises(JobError, match=r"^\.touchstone/plan/abc\.json: not a whole plan; .* run it again$"):
        job_plan.load("abc", *HERE)


@pytest.mark.parametrize("inputs", [(), ("a", "b")])
def test_another_number_of_inputs_than_planned_is_refused(inputs):
    with pytest.raises(
        JobError, match=rf"^train cnn\.0 reads 1 folder\(s\) \(prepare/made\), but got {len(inputs)}; .* again$"
    ):
        job_plan.load("abc", inputs, HERE[1])
