"""What cannot be fitted is left out: everything that needs it says why, and everything else goes on."""

from types import SimpleNamespace

import numpy as np
import pytest
from touchstone.pipeline.jobs.reader import METRICS, JobError, Reader

from touchstone.evidence import artefact_checks
from touchstone.pipeline.jobs import detector_tasks, job, results, run
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.provenance import sidecar_files
from touchstone.records.encoding import encode
from touchstone.records.nouns import Detector, ExampleSet, LeftOut, LeftOutError, Outputs

FITTED, FLAT = (f"data/made/detectors/cnn.0/all.zip#{name}" for name in ("ssd", "flat"))
NAMES = ("known", "flat")
WHY = "detector flat of cnn.0 cannot be fitted: "


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Outputs of a network whose features vary, and of one whose features do not."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHSTONE_CACHE", str(tmp_path / "cache"))
    draw, labels, ids = np.random.default_rng(0), np.zeros(40, np.int64), np.arange(40)
    for name, scale in (("known", 1), ("flat", 0)):
        features = 1 + scale * draw.normal(size=(40, 6)).astype(np.float32)
        outputs = Outputs(features[:, :3], labels, ids, {"penultimate": features.astype(np.float32)})
        sidecar_files.write_with_sidecar(tmp_path / name, encode(outputs), {"step": "infer", "inputs": {}})
    examples = ExampleSet(np.zeros((40, 1, 2, 2), np.float32), labels, ids, "made")
    sidecar_files.write_with_sidecar(tmp_path / "examples", encode(examples), {"step": "prepare", "inputs": {}})


SETTINGS = {"component": {"use": "detectors/ssd", "shrinkage": 1e-6}, "device": "cpu", "threads": 1, "seed": 0}
SETTINGS |= {"batch_size": 16, "false_positive_rates": [0.05]}


def fits():
    return [
        Task("fit", {"fit_outputs": fitted, "outputs": "known"}, address, SETTINGS)
        for fitted, address in (("known", FITTED), ("flat", FLAT))
    ]


def scores():
    return [
        Task("score", {"detector": address, "outputs": name},
             f"data/made/scores/cnn.0/all/all.zip#{address.partition('#')[2]}/{name}", SETTINGS)
        for address in (FITTED, FLAT) for name in NAMES
    ]  # fmt: skip


def detection():
    cells = [
        {"role": "scores", "file": task.output, "entry": "cnn", "seed": 0, "examples": task.output.rpartition("/")[2],
         "detector": task.output.rpartition("#")[2].partition("/")[0], "victim": "cnn.0"}
        for task in scores()
    ]  # fmt: skip
    component = {"use": "evaluations/detection", "id_examples": "known", "resamples": 10, "bootstrap_seed": 0}
    settings = {"component": component, "evaluation": "detection", "cells": cells, "study": "made"}
    return Task("evaluate", {"cells": [cell["file"] for cell in cells]}, "data/made/metrics/detection.csv", settings)


def test_a_detector_that_cannot_be_fitted_is_left_out_of_the_tables_that_measure_the_others(study, tmp_path, capfd):
    for tasks in (fits(), scores(), [detection()]):
        run.run(tuple(tasks), tmp_path, tmp_path)

    metrics = Reader().noun("data/made/metrics/detection.csv", METRICS)
    assert {row.entry for row in metrics.rows} == {"cnn+ssd"}
    assert len(metrics.left_out) == 1
    assert metrics.left_out[0].startswith(WHY)
    assert WHY in capfd.readouterr().err


def test_what_was_left_out_is_current_in_the_next_run_and_in_no_other_study(study, tmp_path):
    assert run.run(tuple(fits()), tmp_path, tmp_path) == 0
    assert run.run(tuple(fits()), tmp_path, tmp_path) == 2
    (tmp_path / "data").rename(tmp_path / "before")

    assert run.run(tuple(fits()), tmp_path, tmp_path) == 1


def test_a_reader_of_what_was_left_out_gets_the_reason(study, tmp_path):
    run.run(tuple(fits()), tmp_path, tmp_path)

    assert isinstance(Reader().noun(FITTED, "Detector"), Detector)
    with pytest.raises(LeftOutError, match=WHY):
        Reader().noun(FLAT, "Detector")


@pytest.mark.parametrize("step", ["attack", "score", "infer", "translate"])
def test_a_step_whose_input_was_left_out_leaves_out_its_output(step, study, tmp_path, monkeypatch):
    sidecar_files.write_with_sidecar(
        tmp_path / "gone", encode(LeftOut("it was left out")), {"step": "fit", "inputs": {}}
    )
    inputs = {"examples": "gone", "detector": "gone", "outputs": "gone", "checkpoint": "gone"}
    settings = SETTINGS | {"confounding": {}, "architecture": {"use": "models/mlp"}}

    run.run((Task(step, inputs, "out", settings),), tmp_path, tmp_path)

    with pytest.raises(LeftOutError, match="it was left out"):
        Reader().noun("out", "ExampleSet")


def test_scores_that_are_not_finite_are_left_out(study, tmp_path, monkeypatch):
    run.run(tuple(fits()), tmp_path, tmp_path)
    monkeypatch.setattr(detector_tasks, "bound", lambda *arguments: lambda features, state: features.sum(1) / 0)

    run.run((scores()[0],), tmp_path, tmp_path)

    with pytest.raises(LeftOutError, match=r"ssd of cnn\.0 has no scores of known: 40 of 40 scores are NaN or inf"):
        Reader().noun(scores()[0].output, "Scores")


def test_an_evaluation_gets_the_cells_that_were_not_left_out_and_why_others_were(study, tmp_path):
    sidecar_files.write_with_sidecar(
        tmp_path / "gone", encode(LeftOut("it was left out")), {"step": "fit", "inputs": {}}
    )
    one = job.Job(fits()[0], Reader(), None, tmp_path)
    cells = [{"role": "examples", "file": "examples"}, {"role": "examples", "file": "gone", "attack": "pgd"}]

    by_role, left_out = results._cells(one, cells)

    assert [cell.file for cell in by_role["examples"]] == ["examples"]
    assert left_out == ["it was left out"]


def test_a_damaged_file_is_no_reason_to_leave_anything_out(study, tmp_path):
    sidecar_files.write_with_sidecar(tmp_path / "known", b"x" * 100, {"step": "infer", "inputs": {}})

    with pytest.raises(JobError, match="known: not a whole artefact"):
        run.run((fits()[0],), tmp_path, tmp_path)


class Evidence(Reader):
    """What verify reads: the files of the study, and the tasks that wrote them."""

    def __init__(self, tasks, folder):
        super().__init__()
        self.selection, self.folder = SimpleNamespace(tasks={task.output: task for task in tasks}), folder

    def compute(self, task):
        made = []
        one = job.Job(task, self, None, self.folder)
        one.write = made.append
        run.carry_out(one)
        return made[0]


def test_verify_accepts_what_cannot_be_fitted_and_refuses_what_can(study, tmp_path):
    tasks = [*fits(), *scores()]
    run.run(tuple(fits()), tmp_path, tmp_path)
    run.run(tuple(scores()), tmp_path, tmp_path)
    evidence = Evidence(tasks, tmp_path)

    for task in (fits()[1], *scores()[2:]):
        artefact_checks._check_left_out(evidence, task)
    for task in (fits()[0], scores()[0]):
        with pytest.raises(ValueError, match="it was left out, but it can be computed"):
            artefact_checks._check_left_out(evidence, task)
