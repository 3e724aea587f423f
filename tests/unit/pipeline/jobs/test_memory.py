"""How much memory a large set takes, in units of its images: allocations are counted, so no other process matters."""

import tracemalloc
from functools import partial

import numpy as np
import pytest

from touchstone.data.uniform_noise import uniform_noise
from touchstone.ingest import pixels
from touchstone.pipeline.jobs.reader import Reader
from touchstone.pipeline.provenance import sidecar_files, whole_files
from touchstone.pipeline.steps.prepare import prepare
from touchstone.records import streams
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
    monkeypatch.setattr(streams, "PIECE", 2**14)


def noise(seed=0):
    random = np.random.default_rng(seed).random((COUNT, 1, SIDE, SIDE), np.float32)
    return ExampleSet(random, np.full(COUNT, -1), np.arange(COUNT), f"noise {seed}")


def written(path, noun):
    facts = {"step": "prepare", "settings": {}, "inputs": {}, "code": "sha256:c", "definitions": {}, "packages": {}}
    sidecar_files.write_sidecar(path, whole_files.write_pieces(path, streams.encoded(noun)), facts)


def test_preparing_a_set_takes_less_than_two_sets(small_pieces):
    draw = partial(uniform_noise, count=COUNT, size=SIDE)

    assert peak(lambda: prepare(draw, ("generator",), name="noise")) < 2


def test_writing_a_set_copies_none_of_its_images(small_pieces, tmp_path):
    noun = noise()

    assert peak(lambda: written(tmp_path / "noise", noun)) < 0.1


def test_reading_a_set_takes_little_more_than_the_set(small_pieces, tmp_path):
    written(tmp_path / "noise", noise())

    assert peak(lambda: Reader().noun(str(tmp_path / "noise"), "ExampleSet")) < 1.5
