"""Networks that draw random numbers or have a stand-in for their gradient: their honest evidence holds."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from planted_networks import WEIGHTS, plant, run_task, write
from touchstone import plugins
from touchstone.audit import artefact_checks
from touchstone.audit.problems import Result
from touchstone.audit.recomputation import Recomputation
from touchstone.pipeline.planning.parts import Task
from touchstone.records.encoding import decode
from touchstone.records.nouns import Checkpoint, ExampleSet, Margins

N = 40
LEAD = {  # of the second class
    "noisy": "self.slope * (sums(images) + 0.1 * torch.randn(len(images)))",
    "smooth": "self.slope * sums(images)",
    "quantised": "self.slope * sums((images * 16).round() / 16)",
}
SHARED = {"seed": 0, "batch_size": 16, "device": "cpu", "threads": 1}


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with images and planted networks."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    plant(LEAD)
    images = np.random.default_rng(0).uniform(0.2, 0.8, (N, 1, 1, 3))
    write(
        "images", ExampleSet(np.float32(np.round(images * 255) / 255), np.zeros(N, np.int64), np.arange(N), "planted")
    )
    for name in LEAD:
        write(name, Checkpoint(WEIGHTS, {"use": f"models/{name}"}, (1, 1, 3), 2, (0.0,), (1.0,)))
    plugins.use([tmp_path / "plugins"])
    yield
    plugins.use([])


def reader_after(task, share=1.0):
    """Run a task as a job of a study does; return the reader of a verifier."""
    run_task(task)
    selection = SimpleNamespace(tasks={task.output: task}, files=[task.output])
    return Recomputation(selection, Path(), "cpu", {}, share)


def test_a_network_draws_for_the_verifier_what_it_drew_for_the_author_in_whole_files():
    settings = SHARED | {"architecture": {"use": "models/noisy"}, "draws": 20, "confounding": {}}
    task = Task("infer", {"checkpoint": "noisy", "examples": "images"}, "outputs", settings)
    reader, counts, result = reader_after(task, share=0.1), artefact_checks.Counts(), Result()

    artefact_checks._check(reader, task, counts, result)

    assert result.problems == []
    assert (counts.exact, counts.sampled) == (1, 0)


@pytest.mark.parametrize("factor", [1, 0.5, 2])
def test_margins_that_were_found_through_a_stand_in_are_searched_again(factor):
    settings = SHARED | {"architecture": {"use": "models/quantised"}, "backward_architecture": {"use": "models/smooth"}}
    settings["component"] = {"use": "margins/minimal_pgd", "rounds": 4, "steps": 10}
    inputs = {"examples": "images", "checkpoint": "quantised", "backward": "smooth"}
    task = Task("measure", inputs, "margins", settings)
    reader, counts, result = reader_after(task), artefact_checks.Counts(), Result()
    stated = decode(Path("margins").read_bytes(), Margins)
    margins = np.where(np.arange(N) == stated.found.argmax(), factor * stated.margins, stated.margins)
    reader.nouns.get("margins", lambda: replace(stated, margins=margins))

    artefact_checks._check(reader, task, counts, result)

    assert stated.found.sum() > N / 2
    assert (counts.exact, len(result.problems)) == ((1, 0) if factor == 1 else (0, 1))
