"""Uniform noise, as an out-of-distribution set."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import generated
from touchstone.data.ingest.pixels import levels_in_pieces
from touchstone.records.nouns import ExampleSet


def uniform_noise(
    generator: np.random.Generator, *, count: PositiveInt = 1000, size: PositiveInt = 28, channels: PositiveInt = 1
) -> ExampleSet:
    """Return images of independent pixels, uniform on [0, 1], labels -1.

    Images (count, channels, size, size).
    """
    shape = (channels, size, size)
    levels = levels_in_pieces((count, *shape), lambda first, last: generator.random((last - first, *shape)))
    return generated(levels, "uniform_noise")
