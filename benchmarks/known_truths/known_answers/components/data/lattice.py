"""Images whose first four pixels take one of 256 values, so that a population's robustness can be enumerated."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import GENERATED, prepared
from touchstone.records.nouns import ExampleSet

LEVELS = (51, 102, 153, 204)  # of 255
RULE, BOUND = (2, 1, -1, 1), 402  # class 1: the weighted sum of the levels is above the bound


def lattice(generator: np.random.Generator, *, stream: NonNegativeInt, count: PositiveInt = 600) -> ExampleSet:
    """Return images (count, 1, 4, 4), the first four pixels uniform over 4 ** 4 points, the others uniform noise.

    The class is an integer rule of the four pixels. The noise makes every image different, which keeps sets disjoint.

    Args:
        generator: of the entry's seed.
        stream: sets with different streams are independent.
        count: number of images.
    """
    own = np.random.Generator(generator.bit_generator.jumped(stream))  # type: ignore[attr-defined]
    levels = own.integers(0, 256, (count, 16))
    levels[:, :4] = np.array(LEVELS)[own.integers(0, len(LEVELS), (count, 4))]
    labels = (levels[:, :4] @ np.array(RULE) > BOUND).astype(np.int64)
    images = (levels / 255).reshape(count, 1, 4, 4)
    return prepared(images, labels, np.arange(count), "lattice", **GENERATED)
