"""How much memory a large set takes, in units of its images: allocations are counted, so no other process matters."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

from run_tasks import artefacts, path, put
from touchstone.data.ingest import pixels
from touchstone.data.uniform_noise import uniform_noise
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.steps.prepare import prepare
from touchstone.records.nouns import ExampleSet

COUNT, SIDE = 20_000, 8
SET = COUNT * SIDE * SIDE * 4  # bytes of its images


def peak(function):
    """Return the most bytes allocated at a time by a call, in units of one set of images."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / SET
    finally:
        tracemalloc.stop()


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces that are as small beside this set as the real ones are beside a large set."""
    monkeypatch.setattr(pixels, "PIECE", 2**14)


def written(file):
    random = np.random.default_rng(0).random((COUNT, 1, SIDE, SIDE), np.float32)
    put(file, ExampleSet(random, np.full(COUNT, -1), np.arange(COUNT), "noise"))


def test_preparing_a_set_takes_less_than_two_sets(small_pieces):
    draw = partial(uniform_noise, count=COUNT, size=SIDE)

    assert peak(lambda: prepare(draw, ("generator",), name="noise")) < 2


def test_reading_a_set_takes_its_file_and_the_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written("noise")
    job = artefacts(Task("look", {"examples": "noise"}, path("seen"), {}))

    assert peak(lambda: job.noun("noise", "ExampleSet")) < 2.5
