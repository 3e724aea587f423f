"""What cannot be fitted is left out: everything that needs it says why, and everything else goes on."""

from pathlib import Path

import numpy as np
import pytest

from run_tasks import artefacts, path, put, put_bytes, read, run_tasks
from touchstone.pipeline.jobs import detector_tasks, job, results
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.provenance.job_folders import name_of
from touchstone.records.nouns import Detector, ExampleSet, LeftOut, LeftOutError, Outputs

FITTED, FLAT = (path(f"detectors/cnn.0/{name}", "detect/cnn.0") for name in ("ssd", "flat"))
KNOWN, OTHER, EXAMPLES, GONE = (path(name, "measure/cnn.0") for name in ("known", "flat", "examples", "gone"))
METRICS = path("metrics/detection", "evaluate/hendrycks")
WHY = "detector flat of cnn.0 cannot be fitted: "


@pytest.fixture(autouse=True)
def study(tmp_path, monkeypatch):
    """Outputs of a network whose features vary, and of one whose features do not; one set that was left out."""
    monkeypatch.chdir(tmp_path)
    draw, labels, ids = np.random.default_rng(0), np.zeros(40, np.int64), np.arange(40)
    for file, scale in ((KNOWN, 1), (OTHER, 0)):
        features = 1 + scale * draw.normal(size=(40, 6)).astype(np.float32)
        put(file, Outputs(features[:, :3], labels, ids, {"penultimate": features.astype(np.float32)}))
    put(EXAMPLES, ExampleSet(np.zeros((40, 1, 2, 2), np.float32), labels, ids, "made"))
    put(GONE, LeftOut("it was left out"))


SETTINGS = {"component": {"use": "detectors/ssd", "shrinkage": 1e-6}, "device": "cpu", "threads": 1, "seed": 0}
SETTINGS |= {"batch_size": 16, "false_positive_rates": [0.05]}


def fits():
    return [
        Task("fit", {"fit_outputs": fitted, "outputs": KNOWN}, file, SETTINGS)
        for fitted, file in ((KNOWN, FITTED), (OTHER, FLAT))
    ]


def scores():
    return [
        Task("score", {"detector": file, "outputs": outputs},
             path(f"scores/cnn.0/{Path(file).stem}/{Path(outputs).stem}", "detect/cnn.0"), SETTINGS)
        for file in (FITTED, FLAT) for outputs in (KNOWN, OTHER)
    ]  # fmt: skip


def detection():
    cells = []
    for task in scores():
        _, _, detector, examples = name_of(task.output).split("/")
        facts = {"entry": "cnn", "seed": 0, "examples": examples, "detector": detector, "victim": "cnn.0"}
        cells.append({"role": "scores", "file": name_of(task.output), **facts})
    component = {"use": "evaluations/detection", "id_examples": "known", "resamples": 10, "bootstrap_seed": 0}
    settings = {"component": component, "evaluation": "detection", "cells": cells, "study": "made"}
    return Task("evaluate", {"cells": [task.output for task in scores()]}, METRICS, settings)


def test_a_detector_that_cannot_be_fitted_is_left_out_of_the_tables_that_measure_the_others(capfd):
    run_tasks(*fits(), *scores())
    run_tasks(detection())

    metrics = read(METRICS, "Metrics")
    assert {row.entry for row in metrics.rows} == {"cnn+ssd"}
    assert len(metrics.left_out) == 1
    assert metrics.left_out[0].startswith(WHY)
    assert WHY in capfd.readouterr().err


def test_what_was_left_out_is_found_in_the_next_run_and_in_no_other_study_where_it_has_another_name():
    """The reason names the detector, so another name needs another reason."""
    other = [Task("fit", task.inputs, task.output.replace("cnn.0", "mlp.0"), SETTINGS) for task in fits()]

    assert [run_tasks(*fits()), run_tasks(*fits())] == [2, 0]
    assert run_tasks(*other) == 1
    with pytest.raises(LeftOutError, match=WHY.replace("cnn", "mlp")):
        read(other[1].output, "Detector")


def test_a_reader_of_what_was_left_out_gets_the_reason():
    run_tasks(*fits())

    assert isinstance(read(FITTED, "Detector"), Detector)
    with pytest.raises(LeftOutError, match=WHY):
        read(FLAT, "Detector")


@pytest.mark.parametrize("step", ["attack", "score", "infer", "translate"])
def test_a_step_whose_input_was_left_out_leaves_out_its_output(step):
    inputs = dict.fromkeys(("examples", "detector", "outputs", "checkpoint"), GONE)
    settings = SETTINGS | {"confounding": {}, "architecture": {"use": "models/mlp"}}

    run_tasks(Task(step, inputs, path("out"), settings))

    with pytest.raises(LeftOutError, match="it was left out"):
        read(path("out"), "ExampleSet")


def test_scores_that_are_not_finite_are_left_out(monkeypatch):
    run_tasks(*fits())
    monkeypatch.setattr(detector_tasks, "bound", lambda *arguments: lambda features, state: features.sum(1) / 0)

    run_tasks(*fits(), scores()[0])

    with pytest.raises(LeftOutError, match=r"ssd of cnn\.0 has no scores of known: 40 of 40 scores are NaN or inf"):
        read(scores()[0].output, "Scores")


def test_an_evaluation_gets_the_cells_that_were_not_left_out_and_why_others_were(tmp_path):
    files = [EXAMPLES, GONE]
    task = Task("evaluate", {"cells": files}, METRICS, {"component": {"use": "evaluations/robustness"}})
    cells = [{"role": "examples", "file": "examples"}, {"role": "examples", "file": "gone", "attack": "pgd"}]

    by_role, left_out = results._cells(job.Job(task, artefacts(task), tmp_path), cells)

    assert [cell.file for cell in by_role["examples"]] == ["examples"]
    assert left_out == ["it was left out"]


def test_a_damaged_file_is_no_reason_to_leave_anything_out():
    put_bytes(KNOWN, b"x" * 100)

    with pytest.raises(JobError, match=r"known\.safetensors: not a whole artefact"):
        run_tasks(fits()[0])
