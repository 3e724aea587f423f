"""How much memory a large set takes, in units of its images: allocations are counted, so no other process matters."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from touchstone.pipeline.jobs.reader import Reader

from touchstone.data.uniform_noise import uniform_noise
from touchstone.ingest import pixels
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.steps.prepare import prepare
from touchstone.records.encoding import encode
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


def written(path):
    random = np.random.default_rng(0).random((COUNT, 1, SIDE, SIDE), np.float32)
    noise = ExampleSet(random, np.full(COUNT, -1), np.arange(COUNT), "noise")
    facts = {"step": "prepare", "settings": {}, "inputs": {}, "code": "sha256:c", "definitions": {}, "packages": {}}
    sidecar_files.write_with_sidecar(path, encode(noise), facts)


def test_preparing_a_set_takes_less_than_two_sets(small_pieces):
    draw = partial(uniform_noise, count=COUNT, size=SIDE)

    assert peak(lambda: prepare(draw, ("generator",), name="noise")) < 2


def test_reading_a_set_takes_its_file_and_the_set(tmp_path):
    written(tmp_path / "noise")

    assert peak(lambda: Reader().noun(str(tmp_path / "noise"), "ExampleSet")) < 2.5
