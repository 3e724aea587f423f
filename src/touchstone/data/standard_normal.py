"""Rubbish images: standard normal noise, in which a network should see no class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.ingest.example_notes import generated
from touchstone.records.nouns import ExampleSet


def standard_normal(
    generator: np.random.Generator, *, count: PositiveInt = 1000, size: PositiveInt = 28, channels: PositiveInt = 1
) -> ExampleSet:
    """Return `count` draws of N(0, I), labels -1.

    Images (count, channels, size, size). `unquantised` holds the values as drawn, which leave the range of pixels;
    `images` holds them clipped to [0, 1]. A network is measured on both.

    References:
        Goodfellow et al. 2015, appendix A; docs/papers/fgsm.md, Protocol.
    """
    drawn = generator.normal(size=(count, channels, size, size))
    return replace(generated(drawn, "standard_normal"), unquantised=drawn.astype(np.float32))
