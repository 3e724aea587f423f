"""Rubbish images: standard normal noise, which no class should be seen in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.ingest.example_notes import generated
from touchstone.records.nouns import ExampleSet


def standard_normal(
    generator: np.random.Generator, *, count: PositiveInt = 1000, size: PositiveInt = 28, channels: PositiveInt = 1
) -> ExampleSet:
    """Return `count` draws of N(0, I), labels -1: as drawn in `unquantised`, clipped to [0, 1] in `images`.

    As drawn they leave the range of pixels, as they do in Goodfellow et al. 2015, appendix A (papers.md 4.e): a network
    that is run on the set says what it makes of both.
    """
    drawn = generator.normal(size=(count, channels, size, size))
    return replace(generated(drawn, "standard_normal"), unquantised=drawn.astype(np.float32))
