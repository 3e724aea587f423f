"""Gaussian noise, as an out-of-distribution set."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.data.ingest.example_notes import generated
from touchstone.data.ingest.pixels import levels_in_pieces
from touchstone.records.nouns import ExampleSet


def gaussian_noise(
    generator: np.random.Generator,
    *,
    count: PositiveInt = 1000,
    size: PositiveInt = 28,
    mean: UnitInterval = 0.5,
    std: PositiveFloat = 0.25,
    channels: PositiveInt = 1,
) -> ExampleSet:
    """Return images of independent normal pixels clipped to [0, 1], labels -1.

    Images (count, channels, size, size). `mean` and `std` are those before clipping; with the defaults 4.6 % of the
    pixels are clipped.
    """
    shape = (channels, size, size)
    levels = levels_in_pieces((count, *shape), lambda first, last: generator.normal(mean, std, (last - first, *shape)))
    return generated(levels, "gaussian_noise")
