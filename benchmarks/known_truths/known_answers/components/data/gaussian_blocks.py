"""Images of 4 x 4 Gaussian pixels, whose every error rate and AUROC is a formula."""

from __future__ import annotations

from typing import Literal

import numpy as np

from touchstone.contracts import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.data.ingest.example_notes import GENERATED, no_classes, prepared
from touchstone.records.nouns import ExampleSet

SIDE, CLASS_PIXELS = 4, 8


def gaussian_blocks(
    generator: np.random.Generator,
    *,
    stream: NonNegativeInt,
    count: PositiveInt = 600,
    differ: Literal["mean", "spread"] = "mean",
    distance: NonNegativeFloat = 0.03,
    sigma: PositiveFloat = 0.08,
    shift: float = 0.0,
    marker_sigma: PositiveFloat | None = None,
    labelled: bool = True,
) -> ExampleSet:
    """Return images of independent Gaussian pixels around 0.5, labels 0 and 1 in turn.

    Pixels 0 to 7 carry the class, 8 to 11 are the marker that detectors read, 12 to 15 are nuisance. Images (count, 1, 4,
    4).

    Args:
        generator: of the entry's seed.
        stream: sets with different streams are independent.
        count: number of images.
        differ: by what the classes differ: the mean of the class pixels, 0.5 - or + `distance`, or their spread, `sigma`
            for class 0 and twice that for class 1.
        distance: of each class mean from 0.5.
        sigma: standard deviation of a pixel.
        shift: of the marker's mean.
        marker_sigma: standard deviation of a marker pixel; None: sigma.
        labelled: False: labels are -1.
    """
    own = np.random.Generator(generator.bit_generator.jumped(stream))  # type: ignore[attr-defined]
    noise = own.normal(size=(count, SIDE * SIDE))
    labels = np.arange(count) % 2
    mean, spread = np.full(noise.shape, 0.5), np.full(noise.shape, sigma)
    if differ == "mean":
        mean[:, :CLASS_PIXELS] += distance * (2 * labels - 1)[:, None]
    else:
        spread[:, :CLASS_PIXELS] *= (1 + labels)[:, None]
    marker = slice(CLASS_PIXELS, CLASS_PIXELS + 4)
    mean[:, marker] += shift
    spread[:, marker] = sigma if marker_sigma is None else marker_sigma
    images = (mean + spread * noise).reshape(count, 1, SIDE, SIDE)
    return prepared(images, labels if labelled else no_classes(count), np.arange(count), "gaussian_blocks", **GENERATED)
