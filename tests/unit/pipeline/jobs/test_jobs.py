import weakref

import numpy as np
import pytest

from touchstone.pipeline.jobs import adapters, job, run
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.steps import STEPS, Step
from touchstone.pipeline.provenance import cache, code, sidecar_files
from touchstone.pipeline.steps import report
from touchstone.records.encoding import encode
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import ExampleSet


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in "abc":
        noun = ExampleSet(np.zeros((2, 1, 2, 2), np.float32), np.zeros(2, np.int64), np.arange(2), name)
        sidecar_files.write_with_sidecar(tmp_path / name, encode(noun), {"inputs": {}})
    return list("abc")


def test_a_job_holds_no_set_that_no_later_task_of_it_reads(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")
    held = []

    def look(one):
        assert one.noun("examples", "ExampleSet").source == one.task.inputs["examples"]
        held.append("".join(sorted(one.reader._nouns)))

    monkeypatch.setattr(adapters, "run_look", look, raising=False)
    monkeypatch.setitem(STEPS, "look", Step("look", torch=False, cached=False))
    tasks = tuple(Task("look", {"examples": name}, f"of {name}", {}) for name in "abacb")

    run.run(tasks, tmp_path, tmp_path)

    assert held == ["a", "ab", "ab", "bc", "b"]


def test_a_job_holds_no_artefact_of_a_task_that_is_done(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")
    done, held = [], []

    def write(one):
        held.append([task for task in done if task() is not None])
        done.append(weakref.ref(one))  # it holds what it has written

    monkeypatch.setattr(adapters, "run_write", write, raising=False)
    monkeypatch.setitem(STEPS, "write", Step("write", torch=False, cached=False))

    run.run(tuple(Task("write", {"examples": name}, f"of {name}", {}) for name in files), tmp_path, tmp_path)

    assert held == [[], [], []]


def test_an_output_that_gc_removes_while_a_job_copies_it_is_computed(files, tmp_path, monkeypatch):
    monkeypatch.setenv("TOUCHSTONE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache.Cache, "fetch", lambda store, key: tmp_path / "removed")
    monkeypatch.setattr(adapters, "run_make", lambda one: one.write(Metrics(())), raising=False)
    monkeypatch.setitem(STEPS, "make", Step("make", torch=False, cached=True))

    assert run.run((Task("make", {"examples": "a"}, "made", {}),), tmp_path, tmp_path) == 0
    assert sidecar_files.read_artefact(tmp_path / "made")


def test_code_that_is_edited_during_a_job_ends_it_before_anything_is_recorded(files, tmp_path, monkeypatch):
    """What a task imports after the edit is not what its record would name."""
    monkeypatch.setenv("TOUCHSTONE_CACHE", "off")
    today = {"adversary/evasion.py": "before"}

    def edit(one):
        today["adversary/evasion.py"] = "after"
        one.write(Metrics(()))

    monkeypatch.setattr(job.code, "code_of", lambda *task: code.Code(str(today), dict(today), {}))
    monkeypatch.setattr(adapters, "run_edit", edit, raising=False)
    monkeypatch.setitem(STEPS, "edit", Step("edit", torch=False, cached=False))

    with pytest.raises(job.JobError, match="of a: its code changed while the job ran; run the study again"):
        run.run(tuple(Task("edit", {"examples": name}, f"of {name}", {}) for name in files), tmp_path, tmp_path)
    assert not list(tmp_path.glob("of *"))


def test_code_that_is_edited_while_a_report_is_drawn_leaves_the_report_before_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    today = {"report/page.py": "before"}
    page = tmp_path / "reports/made/report.html"
    page.parent.mkdir(parents=True)
    page.write_text("the report before")

    def draw(**settings):
        today["report/page.py"] = "after"
        return {"report.html": b"a new page"}

    monkeypatch.setattr(job.code, "code_of", lambda *task: code.Code(str(today), dict(today), {}))
    monkeypatch.setattr(report, "report", draw)
    settings = {key: {} for key in ("papers", "evaluations", "figures", "components")}
    settings |= {"study": "made", "claims": {"data": "digits", "components": {}, "claims": {}}}
    settings |= {"settings": {key: {} for key in ("classifiers", "defences", "detectors", "evaluations")}}
    task = Task("report", {"metrics": [], "cells": []}, "reports/made/report.html", settings)

    with pytest.raises(job.JobError, match="its code changed while the job ran"):
        run.run((task,), tmp_path, tmp_path)
    assert page.read_text() == "the report before" and [file.name for file in page.parent.iterdir()] == ["report.html"]
