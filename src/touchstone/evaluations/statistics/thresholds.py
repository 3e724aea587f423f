"""Where thresholds are computed: of a detector's scores, and of logit margins that separate brittle inputs."""

from __future__ import annotations

import math

import numpy as np

from touchstone.evaluations.statistics.estimators import Array


def threshold_at(calibration: Array, rate: float) -> float:
    """Return a detector's threshold: the smallest score that at most `rate` of the calibration scores exceed.

    Flag an input whose score is above it. Without ties, the share of calibration inputs flagged is within 1/N of `rate`.

    Args:
        calibration: scores of held-out in-distribution inputs, (N,), sorted ascending.
        rate: the false-positive rate, in [0, 1].
    """
    count = len(calibration)
    return float(calibration[max(0, math.ceil(count * (1 - rate) - 1e-9) - 1)])


def catching_threshold(proxies: Array, brittle: Array, share: float) -> float:
    """Return the smallest proxy at or below which the share `share` of the brittle inputs lies.

    Args:
        proxies: what stands in for the input margin, (N,), such as logit margins; smaller is more brittle.
        brittle: which inputs are brittle, (N,) bool.

    Returns:
        The threshold; -inf if no input is brittle, so that nothing is flagged.
    """
    return float(np.quantile(proxies[brittle], share, method="inverted_cdf")) if brittle.any() else -np.inf
