"""A verifier accepts that something was left out only if it cannot be computed here either."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from run_tasks import path, put, run_tasks
from touchstone.audit import artefact_comparison
from touchstone.audit.recomputation import Recomputation
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Outputs

SETTINGS = {"component": {"use": "detectors/ssd", "shrinkage": 1e-6}, "device": "cpu", "threads": 1, "seed": 0}
SETTINGS |= {"batch_size": 16, "false_positive_rates": [0.05]}
OUTPUTS = {name: path(f"outputs/{name}", "measure/cnn.0") for name in ("ssd", "flat")}
FITS, SCORES = {}, {}
for name, file in OUTPUTS.items():
    detector = path(f"detectors/cnn.0/{name}", "detect/cnn.0")
    FITS[name] = Task("fit", {"fit_outputs": file, "outputs": OUTPUTS["ssd"]}, detector, SETTINGS)
    scored = path(f"scores/cnn.0/{name}/known", "detect/cnn.0")
    SCORES[name] = Task("score", {"detector": detector, "outputs": OUTPUTS["ssd"]}, scored, SETTINGS)


@pytest.fixture
def evidence(tmp_path, monkeypatch):
    """What a verifier reads: a detector, and one that was left out because its network's features do not vary."""
    monkeypatch.chdir(tmp_path)
    draw, labels = np.random.default_rng(0), np.zeros(40, np.int64)
    for name, scale in (("ssd", 1), ("flat", 0)):
        features = 1 + scale * draw.normal(size=(40, 6)).astype(np.float32)
        put(
            OUTPUTS[name], Outputs(features[:, :3], labels, np.arange(40), {"penultimate": features.astype(np.float32)})
        )
    tasks = [*FITS.values(), *SCORES.values()]
    run_tasks(*tasks)
    selection = SimpleNamespace(tasks={task.output: task for task in tasks}, files=[task.output for task in tasks])
    return Recomputation(selection, Path(), "cpu", {})


@pytest.mark.parametrize("tasks", [FITS, SCORES], ids=["fit", "score"])
def test_what_cannot_be_computed_may_be_left_out_and_what_can_may_not(evidence, tasks):
    artefact_comparison.check_left_out(evidence, tasks["flat"])

    with pytest.raises(ValueError, match="it was left out, but it can be computed"):
        artefact_comparison.check_left_out(evidence, tasks["ssd"])
