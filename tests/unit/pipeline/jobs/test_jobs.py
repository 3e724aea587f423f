import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from run_tasks import artefacts, path, put, run_tasks
from touchstone.pipeline.jobs import adapters, job, run
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.steps import report
from touchstone.provenance import code
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import ExampleSet


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    """A function that puts three example sets in the working folder, and returns tasks of an invented step that read them."""
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        put(path(name), ExampleSet(np.zeros((2, 1, 2, 2), np.float32), np.zeros(2, np.int64), np.arange(2), name))

    def of(function, names="abc"):
        monkeypatch.setattr(adapters, "run_invented", function, raising=False)
        return [
            Task("invented", {"examples": path(name)}, path(f"{place}.{name}", "attack/cnn.0"), {"place": place})
            for place, name in enumerate(names)
        ]

    return of


def test_a_job_holds_no_set_that_no_later_task_of_it_reads(tasks):
    held = []

    def look(one):
        assert path(one.noun("examples", "ExampleSet").source) == one.task.inputs["examples"]
        held.append("".join(sorted(Path(file).stem for file in one.artefacts._nouns)))

    run_tasks(*tasks(look, "abacb"))

    assert held == ["a", "ab", "ab", "bc", "b"]


def test_a_job_holds_no_artefact_of_a_task_that_is_done(tasks):
    done, held = [], []

    def write(one):
        held.append([task for task in done if task() is not None])
        done.append(weakref.ref(one))  # it holds what it has written
        one.write(Metrics(()))

    run_tasks(*tasks(write))

    assert held == [[], [], []]


def test_a_job_computes_only_what_the_store_lacks_and_all_of_it_if_told_to(tasks, monkeypatch):
    own = tasks(lambda one: one.write(Metrics(())))

    assert [run_tasks(*own[:2]), run_tasks(*own), run_tasks(*own), run_tasks(*own, recompute=True)] == [2, 1, 0, 3]
    assert all(Path(task.output).read_bytes() for task in own)


def test_what_a_job_makes_counts_by_its_bytes_for_the_tasks_after_it(tasks, monkeypatch):
    """A changed setting that changes no byte leaves the tasks that read them in the store."""
    own = tasks(lambda one: one.write(Metrics(())), "a")
    reader = Task("invented", {"made": own[0].output}, path("read", "attack/cnn.0"), {})
    run_tasks(own[0], reader)

    assert run_tasks(replace(own[0], settings={"place": 7}), reader) == 1


def test_code_that_is_edited_during_a_job_ends_it_before_anything_is_recorded(tasks, monkeypatch):
    """What a task imports after the edit is not what its record would name."""
    today = {"adversary/evasion.py": "before"}

    def edit(one):
        today["adversary/evasion.py"] = "after"
        one.write(Metrics(()))

    monkeypatch.setattr(job.code, "code_of", lambda *task: code.Code(today["adversary/evasion.py"], dict(today), {}))

    with pytest.raises(
        job.JobError, match=r"attack/cnn\.0/0\.a\.safetensors: its code is not the code that was planned"
    ):
        run_tasks(*tasks(edit))
    assert not Path("data").exists() and not Path(path("a", "attack/cnn.0")).parent.exists()


def test_code_that_is_edited_while_a_report_is_drawn_leaves_the_report_before_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    today = {"report/page.py": "before"}
    page = tmp_path / "reports/made/report.html"
    page.parent.mkdir(parents=True)
    page.write_text("the report before")

    def draw(**settings):
        today["report/page.py"] = "after"
        return {"report.html": b"a new page"}

    monkeypatch.setattr(job.code, "code_of", lambda *task: code.Code(today["report/page.py"], dict(today), {}))
    monkeypatch.setattr(report, "report", draw)
    settings = {key: {} for key in ("papers", "evaluations", "figures", "components")}
    settings |= {"study": "made", "claims": {"components": {}, "claims": {}}}
    settings |= {"settings": {key: {} for key in ("classifiers", "defences", "detectors", "evaluations")}}
    task = Task("report", {"metrics": [], "cells": []}, "reports/made/report.html", settings)

    with pytest.raises(job.JobError, match="its code is not the code that was planned; run the study again"):
        run.run(artefacts(task), tmp_path)
    assert page.read_text() == "the report before" and [file.name for file in page.parent.iterdir()] == ["report.html"]
