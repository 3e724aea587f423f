"""The interval of a mean over seeds: networks and images are both drawn, and all networks see the same images.

A mean over S seeds and n images has the variance

    seed_variance / S  +  image_variance  +  residual_variance / S

where the image and the residual part shrink with n. The first and the last are estimated together by the variance of
the seeds' values, the image part by how the mean moves when images are resampled, the same ones for every seed. The
quantile is Student's, at Satterthwaite's degrees of freedom. See docs/verdicts.md, "Intervals".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[Any]
CONFIDENCE = 0.95
NOTHING = 1e-15  # a variance below it is rounding
# How an end is found from the standard error. The words are those of the column `method`.
SCORE, SIGNED, SIGNED_DIFFERENCE, PLAIN = "score", "difference", "difference of signed numbers", "t"
METHODS = (SCORE, SIGNED, SIGNED_DIFFERENCE, PLAIN)
LARGEST = {SIGNED: 1.0, SIGNED_DIFFERENCE: 2.0}  # absolute value that such a number can have


class Spread(NamedTuple):
    """What a mean over seeds varies by.

    Attributes:
        seeds: how many networks it is a mean of.
        images: how many were drawn; of two populations the fewer.
        seed_variance: of the number of one network, whatever the images.
        image_variance: of the number on these images, whatever the network.
        residual_variance: what remains, of one network on these images.
    """

    seeds: int
    images: int
    seed_variance: float
    image_variance: float
    residual_variance: float

    @property
    def variance(self) -> float:
        """The variance of the mean over all seeds."""
        return self.image_variance + (self.seed_variance + self.residual_variance) / self.seeds

    @property
    def df(self) -> float:
        """Satterthwaite's degrees of freedom of the variance, never fewer than those of the seeds."""
        others = max(self.images - 1.0, 1.0)
        if self.seeds == 1:
            return others
        residual = self.residual_variance / self.seeds
        parts = (
            (self.seed_variance / self.seeds + residual, self.seeds - 1),
            (self.image_variance + residual, others),
            (residual, (self.seeds - 1) * others),
        )
        error = sum(part**2 / df for part, df in parts)
        # Nothing varied: what may have been missed is a matter of images.
        return max(self.variance**2 / error, self.seeds - 1.0) if self.variance > NOTHING else others


def of_one_network(own: Spread, others: Spread) -> tuple[float, float]:
    """Return the variance of the number of one network, and its degrees of freedom.

    One network does not show how networks differ; others, trained in another way, stand in for that.

    Args:
        own: of the one network; its image variance holds all that resampling images shows.
        others: of several networks, from which the variance of seeds is taken.

    References:
        Satterthwaite 1946, An approximate distribution of estimates of variance components.
    """
    between, residual = others.seed_variance + others.residual_variance, others.residual_variance
    degrees, images = others.seeds - 1.0, max(others.images - 1.0, 1.0)
    parts = ((between, degrees), (own.image_variance, max(own.images - 1.0, 1.0)), (residual, degrees * images))
    variance, error = own.image_variance + others.seed_variance, sum(part**2 / df for part, df in parts)
    return variance, max(variance**2 / error, degrees) if variance > NOTHING else degrees


def spread(values: Array, samples: Array, images: int, *, aligned: bool = True) -> Spread:
    """Return what a mean over seeds varies by.

    Args:
        values: of each seed, (S,).
        samples: of each seed, its value on resampled images, (S, B); column b has the same images for every seed.
        images: how many were drawn; of two populations the fewer.
        aligned: whether the columns do have the same images. If not, the images' part is taken as large as it can be.

    Returns:
        The spread. With one seed the seed's part is unknown and left out.
    """
    count = len(values)
    per_seed = float(np.mean(np.var(samples, axis=1, ddof=1)))  # images and residual
    if count == 1:
        return Spread(1, images, 0.0, per_seed, 0.0)
    of_mean = float(np.var(np.mean(samples, axis=0), ddof=1)) if aligned else per_seed  # images, residual / S
    residual = max(per_seed - of_mean, 0.0) * count / (count - 1)
    between = float(np.var(values, ddof=1))  # seeds and residual
    return Spread(count, images, max(between - residual, 0.0), max(of_mean - residual / count, 0.0), residual)


def ends(
    value: float, variance: float, df: float, images: int, method: str, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the ends of the interval of a number.

    Args:
        value: the number; a share in [0, 1] for SCORE.
        variance: of the number.
        df: degrees of freedom of the variance.
        images: how many were drawn; they bound how little can be seen if the variance is 0.
        method: one of METHODS.
        confidence: that the interval holds the truth.

    References:
        Wilson 1927; Korn & Graubard 1998; Tango 1998 (the limit of SIGNED without discordant pairs).
    """
    t = float(special.stdtrit(df, (1 + confidence) / 2))  # as stats.t.ppf, a hundred times as fast
    if method == SCORE:
        value = min(max(value, 0.0), 1.0)  # a mean of shares may lie outside by rounding
        effective = value * (1 - value) / variance if variance > NOTHING and 0 < value < 1 else float(images)
        middle = (value + t * t / (2 * effective)) / (1 + t * t / effective)
        half = t / (1 + t * t / effective) * math.sqrt(value * (1 - value) / effective + (t / (2 * effective)) ** 2)
        # No number shows more than a share of 0 or 1 of these images would.
        t = float(special.stdtrit(max(df, images - 1.0), (1 + confidence) / 2))
        most = t * t / (images + t * t)
        return max(0.0, min(value, middle - half, 1 - most)), min(1.0, max(value, middle + half, most))
    half = t * math.sqrt(variance)
    if method not in LARGEST:
        return value - half, value + half
    z = float(special.ndtri((1 + confidence) / 2))
    half, largest = max(half, z * z / (images + z * z)), LARGEST[method]
    return max(value - half, -largest), min(value + half, largest)


def p_value(find_ends: Callable[[float], tuple[float, float]], bound: float, *, above: bool) -> float:
    """Return the one-sided p-value of a number being on one side of a bound, by inverting its interval.

    Args:
        find_ends: the ends of the interval with a given confidence.
        above: whether the lower end has to be at or above the bound; else the upper end at or below it.
    """
    narrow, wide = 0.0, 1.0  # confidences at which the interval is, and is not, on that side
    for _ in range(40):
        confidence = (narrow + wide) / 2
        low, high = find_ends(confidence)
        if low >= bound if above else high <= bound:
            narrow = confidence
        else:
            wide = confidence
    return (1 - narrow) / 2


def holm(p_values: Mapping[str, float], level: float = 1 - CONFIDENCE) -> dict[str, bool]:
    """Return which of several decisions stand if all of them together may err with probability `level` (Holm 1979).

    Args:
        p_values: two-sided, by the name of the decision.
    """
    stands: dict[str, bool] = {}
    standing = True
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        standing = standing and p_values[name] <= level / (len(p_values) - place)
        stands[name] = standing
    return stands
