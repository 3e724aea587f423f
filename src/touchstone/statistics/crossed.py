"""The interval of a mean over seeds: networks and images are both drawn, and all networks see the same images.

A mean over S seeds and n images has the variance

    seed_variance / S  +  image_variance  +  residual_variance / S

where the image and the residual part shrink with n. The first and the last are estimated together by the variance of
the seeds' values, the image part by how the mean moves when images are drawn anew, the same ones for every seed. The
quantile is Student's, at Satterthwaite's degrees of freedom. See docs/verdicts.md, "The interval".
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]
CONFIDENCE = 0.95
# How an end is found from the standard error. The words are those of the column `method`.
SCORE, SIGNED, PLAIN = "score", "difference", "t"
METHODS = {
    SCORE: "score interval of a share of the effective number of inputs (Wilson 1927; Korn & Graubard 1998)",
    SIGNED: "t interval of a paired difference, no narrower than what n inputs can show",
    PLAIN: "t interval",
}


class Spread(NamedTuple):
    """What a mean over seeds varies by.

    Attributes:
        seeds: how many networks it is a mean of.
        n: images; of two populations the fewer.
        seed_variance: of the number of one network, whatever the images.
        image_variance: of the number on these n images, whatever the network.
        residual_variance: what remains, of one network on these n images.
        variance: of the mean over all seeds.
        df: its degrees of freedom.
    """

    seeds: int
    n: int
    seed_variance: float
    image_variance: float
    residual_variance: float
    variance: float
    df: float


def spread(values: Array, samples: Array, n: int, *, aligned: bool = True) -> Spread:
    """Return the variance of a mean over seeds, and its parts.

    Args:
        values: of each seed, (S,).
        samples: of each seed, its value on resampled images, (S, B); column b has the same images for every seed.
        n: images; of two populations the fewer.
        aligned: whether the columns do have the same images. If not, the images' part is taken as large as it can be.

    Returns:
        The spread. With one seed the seed's part is unknown and left out.
    """
    count = len(values)
    per_seed = float(np.mean(np.var(samples, axis=1, ddof=1)))  # images and residual
    of_mean = float(np.var(np.mean(samples, axis=0), ddof=1)) if aligned else per_seed  # images, residual / S
    if count == 1:
        return Spread(1, n, 0.0, per_seed, 0.0, per_seed, max(n - 1.0, 1.0))
    residual = max(per_seed - of_mean, 0.0) * count / (count - 1)
    between = float(np.var(values, ddof=1))  # seeds and residual
    image = max(of_mean - residual / count, 0.0)
    variance = between / count + image
    parts = (
        (between / count, count - 1),
        (of_mean, max(n - 1, 1)),
        (residual / count, (count - 1) * max(n - 1, 1)),
    )
    error = sum(part**2 / df for part, df in parts)
    df = max(variance**2 / error, count - 1) if error > 0 else count - 1
    return Spread(count, n, max(between - residual, 0.0), image, residual, variance, float(df))


def ends(
    value: float, variance: float, df: float, n: int, method: str, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Return the ends of the interval of a number.

    Args:
        value: the number; a share in [0, 1] for SCORE.
        variance: of the number.
        df: degrees of freedom of the variance.
        n: images, which bound how little can be seen if the variance is 0.
        method: SCORE, SIGNED or PLAIN.
        confidence: that the interval holds the truth.

    References:
        Wilson 1927; Korn & Graubard 1998; Tango 1998 (the limit of SIGNED without discordant pairs).
    """
    t = float(stats.t.ppf((1 + confidence) / 2, df))
    if method == SCORE:
        effective = value * (1 - value) / variance if variance > 0 and 0 < value < 1 else float(n)
        middle = (value + t * t / (2 * effective)) / (1 + t * t / effective)
        half = t / (1 + t * t / effective) * math.sqrt(value * (1 - value) / effective + (t / (2 * effective)) ** 2)
        return max(0.0, min(value, middle - half)), min(1.0, max(value, middle + half))
    half = t * math.sqrt(variance)
    if method == SIGNED:
        z = float(stats.norm.ppf((1 + confidence) / 2))
        half = max(half, z * z / (n + z * z))
    return value - half, value + half
