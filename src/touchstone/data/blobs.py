"""Blobs, as outliers for training."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.data.ingest.example_notes import generated
from touchstone.data.ingest.pixels import blurred, levels_in_pieces
from touchstone.records.nouns import Array, ExampleSet


def blobs(
    generator: np.random.Generator,
    *,
    count: PositiveInt = 1000,
    size: PositiveInt = 28,
    density: UnitInterval = 0.7,
    sigma: PositiveFloat = 1.5,
    threshold: UnitInterval = 0.75,
    channels: PositiveInt = 1,
) -> ExampleSet:
    """Return images of smooth bright blobs on black, labels -1.

    Images (count, channels, size, size). Pixels are 1 with probability `density`, blurred with a Gaussian of `sigma`
    pixels, and set to 0 below `threshold`. Unlike in the original, channels are not blurred into each other.

    References:
        Hendrycks et al. 2019 (Outlier Exposure), official code, "Blob"; the defaults are theirs.
    """
    shape = (channels, size, size)

    def images(first: int, last: int) -> Array:
        dots = (generator.random((last - first, *shape)) < density).astype(np.float64)
        smooth = blurred(dots, sigma)
        return np.where(smooth < threshold, 0, smooth)

    return generated(levels_in_pieces((count, *shape), images), "blobs")
