"""Checkerboards, as outliers for training."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import generated
from touchstone.data.ingest.pixels import levels_in_pieces
from touchstone.records.nouns import Array, ExampleSet

DARKEST_LIGHT, LIGHTEST_DARK = 0.6, 0.4  # so that no board is a flat gray


def checkerboards(
    generator: np.random.Generator,
    *,
    count: PositiveInt = 1000,
    size: PositiveInt = 28,
    smallest: PositiveInt = 2,
    largest: PositiveInt = 7,
    channels: PositiveInt = 1,
) -> ExampleSet:
    """Return images of checkerboards, labels -1.

    Images (count, channels, size, size). The side of a square is uniform on `smallest` to `largest` pixels. The
    corner of the board lies anywhere within a square. In each channel the dark squares are uniform on [0, 0.4], the
    light ones on [0.6, 1].
    """
    if not smallest <= largest < size:
        raise ValueError(f"smallest <= largest < size must hold, got {smallest}, {largest}, {size}")
    side = generator.integers(smallest, largest + 1, count)
    places = (np.arange(size) + generator.integers(0, 2 * side, (2, count))[..., None]) // side[:, None]
    odd = (places[0][:, :, None] + places[1][:, None, :]) % 2 == 1
    dark = generator.uniform(0, LIGHTEST_DARK, (count, channels, 1, 1))
    light = generator.uniform(DARKEST_LIGHT, 1, (count, channels, 1, 1))

    def images(first: int, last: int) -> Array:
        rows = slice(first, last)
        return np.where(odd[rows, None], light[rows], dark[rows])

    return generated(levels_in_pieces((count, channels, size, size), images), "checkerboards")
