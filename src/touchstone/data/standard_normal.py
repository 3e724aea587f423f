"""Rubbish images: standard normal noise, in which a network should see no class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import generated
from touchstone.data.ingest.pixels import levels_in_pieces
from touchstone.records.nouns import Array, ExampleSet


def standard_normal(
    generator: np.random.Generator, *, count: PositiveInt = 1000, size: PositiveInt = 28, channels: PositiveInt = 1
) -> ExampleSet:
    """Return `count` draws of N(0, I), labels -1.

    Images (count, channels, size, size). `unquantised` holds the values as drawn, which leave the range of pixels;
    `images` holds them clipped to [0, 1]. A network is measured on both.

    References:
        Goodfellow et al. 2015, appendix A; docs/papers/fgsm.md, Protocol.
    """
    shape = (channels, size, size)
    unquantised = np.empty((count, *shape), np.float32)

    def images(first: int, last: int) -> Array:
        drawn = generator.normal(size=(last - first, *shape))
        unquantised[first:last] = drawn
        return drawn

    levels = levels_in_pieces((count, *shape), images)
    return replace(generated(levels, "standard_normal"), unquantised=unquantised)
