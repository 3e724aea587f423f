"""Robust accuracy of a whole set estimated from attacking a small part of it."""

from __future__ import annotations

from functools import partial

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, logit_margins
from touchstone.evaluations.statistics.intervals import Sampling
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.evaluations.statistics.thresholds import catching_threshold
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("robust_accuracy", "signed_error", "absolute_error", "absolute_error_sample")
GRID = (0.80, 0.825, 0.85, 0.875, 0.90, 0.925, 0.95, 0.99)  # shares of brittle inputs, those of the paper's code


def subset_robustness(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: PositiveFloat = 0.1,
    size: PositiveInt = 500,
    subsets: PositiveInt = 20,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Estimate the robust accuracy of a set from the margins of a few of its inputs.

    The margins of `size` inputs give a threshold on the logit margin. The estimate is the share of all inputs that are
    right and above it. Of eight thresholds, each of which catches another share of the subset's brittle inputs, it is the
    one whose estimate for the subset is nearest to its robust accuracy.

    Args:
        margins, outputs: of the same classifiers on the same unattacked sets; the smallest margin per input is kept.
        eps: in pixels; an input is robust if it is right and its margin is larger.
        size: inputs per subset.
        subsets: random subsets that errors are averaged over.

    Returns:
        Rows per classifier seed, set and norm on SET/NORM, then means over seeds. Metrics:

        - robust_accuracy: of all inputs.
        - absolute_error, signed_error: of the estimate, means over subsets; the interval is that of the mean, so it covers
          other subsets of the same inputs.
        - absolute_error_sample: of the subset's own robust accuracy, without any logit margin.

    Raises:
        ValueError: a set is not larger than `size`.

    References:
        Ngnawe et al. 2024, code; docs/papers/margin_consistency.md, "Procedure".
    """
    sampling: Sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for subject in kept(margins, outputs):
        count = len(subject.margins)
        if size >= count:
            raise ValueError(f"a subset of {size} inputs of {subject.examples}, which has {count}: give a smaller size")
        new = partial(
            row,
            cell=subject.cells[0],
            n=count,
            files=[*subject.cells, subject.outputs],
            examples=f"{subject.examples}/{subject.norm}",
            threat_model=subject.threat,
        )
        robust = subject.right & (subject.margins > eps)
        rows.append(new("robust_accuracy", intervals.share(robust)))
        errors, of_samples = _errors(subject, eps, size, subsets)
        rows.append(new("signed_error", intervals.mean(errors, **sampling), unit="difference of fractions"))
        rows.append(new("absolute_error", intervals.mean(np.abs(errors), **sampling)))
        rows.append(new("absolute_error_sample", intervals.mean(np.abs(of_samples), **sampling)))
    return with_means(rows)


def _errors(subject: KeptMargins, eps: float, size: int, subsets: int) -> tuple[Array, Array]:
    """Return estimate minus truth, (subsets,), by the logit margin and by the subset's own robust accuracy.

    Subsets depend only on the number of inputs, so that classifiers are paired.
    """
    proxies, robust = logit_margins(subject.logits), subject.right & (subject.margins > eps)
    estimates, shares = [], []
    for subset in range(subsets):
        rows = np.random.default_rng([subset]).permutation(len(robust))[:size]
        threshold = _nearest_of_grid(proxies[rows], subject.right[rows], subject.margins[rows] <= eps)
        estimates.append(float((subject.right & (proxies > threshold)).mean()))
        shares.append(float(robust[rows].mean()))
    return np.array(estimates) - robust.mean(), np.array(shares) - robust.mean()


def _nearest_of_grid(proxies: Array, right: Array, brittle: Array) -> float:
    """Return the threshold of the grid at which the inputs' estimate is nearest to their own robust accuracy."""
    robust = (right & ~brittle).mean()
    thresholds = [catching_threshold(proxies, brittle, share) for share in GRID]
    return min(thresholds, key=lambda threshold: abs((right & (proxies > threshold)).mean() - robust))
