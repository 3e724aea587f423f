"""Robust accuracy of a whole set estimated from attacking a small part of it: error and savings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, logit_margins
from touchstone.evaluations.statistics.intervals import Interval, Sampling
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.evaluations.statistics.thresholds import catching_threshold, matching_threshold
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "robust_accuracy", "signed_error", "absolute_error", "absolute_error_caught_95", "absolute_error_grid",
    "absolute_error_sample", "absolute_error_of_*", "absolute_error_caught_95_of_*", "absolute_error_grid_of_*",
    "absolute_error_sample_of_*",
    "absolute_error_above_half_of_sample", "absolute_error_caught_95_above_half_of_sample", "inputs_attacked",
    "attacks_saved",
)  # fmt: skip
DIFFERENCE = "difference of fractions"
CAUGHT = 0.95  # share of the subset's brittle inputs that the threshold of the paper's review thread catches
GRID = (0.80, 0.825, 0.85, 0.875, 0.90, 0.925, 0.95, 0.99)  # the shares that the paper's code chooses from


def subset_robustness(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: PositiveFloat = 0.1,
    size: PositiveInt = 200,
    sizes: list[PositiveInt] = [25, 50, 100, 200, 500],  # noqa: B006 - a literal that the registry reads; never written to
    subsets: PositiveInt = 20,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Estimate the robust accuracy of a set from the margins of a few of its inputs.

    The margins of `size` inputs give a threshold on the logit margin. The estimate is the share of all inputs that are
    right and above it. The threshold is the one at which the subset's estimate equals its own robust accuracy.

    Args:
        margins, outputs: of the same classifiers on the same unattacked sets; the smallest margin per input is kept.
        eps: in pixels; an input is robust if it is right and its margin is larger.
        size: inputs per subset.
        sizes: further sizes, measured if the set is larger.
        subsets: random subsets that errors are averaged over.

    Returns:
        Rows per classifier seed, set and norm on SET/NORM, then means over seeds. Metrics:

        - robust_accuracy: of all inputs.
        - absolute_error, signed_error: of the estimate, means over subsets; the interval is that of the mean.
        - absolute_error_caught_95: with the threshold that catches 95 % of the subset's brittle inputs.
        - absolute_error_grid: with the threshold of the paper's code, that of eight shares of the subset's brittle inputs
          whose estimate for the subset is nearest to its robust accuracy.
        - absolute_error_sample: of the subset's own robust accuracy, without any logit margin.
        - absolute_error_above_half_of_sample, absolute_error_caught_95_above_half_of_sample: the error of either
          threshold minus half of absolute_error_sample, paired by subset.
        - the absolute errors at each of `sizes`, as absolute_error_of_SIZE.
        - inputs_attacked, attacks_saved: inputs with and without a minimum-norm attack. Every input is classified once.

    Raises:
        ValueError: a set is not larger than `size`.

    References:
        Ngnawe et al. 2024; docs/papers/margin_consistency.md, "Procedure" and claim S2-7.
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
        errors = _errors(subject, eps, size, subsets)
        rows.append(new("signed_error", intervals.mean(errors["quantile"], **sampling), unit=DIFFERENCE))
        for name, ending in (("quantile", ""), ("caught", "_caught_95")):
            above = intervals.mean(np.abs(errors[name]) - np.abs(errors["sample"]) / 2, **sampling)
            rows.append(new(f"absolute_error{ending}_above_half_of_sample", above, unit=DIFFERENCE))
        rows += _absolute(new, errors, sampling, "")
        for each in sorted(set(sizes)):
            if each < count:
                rows += _absolute(new, _errors(subject, eps, each, subsets), sampling, f"_of_{each}")
        for name, inputs in (("inputs_attacked", size), ("attacks_saved", count - size)):
            rows.append(new(name, Interval(float(inputs), None, None), unit="inputs"))
    return with_means(rows)


def _absolute(
    new: Callable[..., MetricRow], errors: dict[str, Array], sampling: Sampling, ending: str
) -> list[MetricRow]:
    names = {"quantile": "", "caught": "_caught_95", "grid": "_grid", "sample": "_sample"}
    return [
        new(f"absolute_error{names[name]}{ending}", intervals.mean(np.abs(of_rule), **sampling))
        for name, of_rule in errors.items()
    ]


def _errors(subject: KeptMargins, eps: float, size: int, subsets: int) -> dict[str, Array]:
    """Return estimate minus truth, (subsets,), for each threshold and for the subset's own robust accuracy.

    Subsets depend only on the number of inputs, so that classifiers are paired. A smaller subset is part of a larger
    one.
    """
    proxies, robust = logit_margins(subject.logits), subject.right & (subject.margins > eps)
    errors: dict[str, list[float]] = {"quantile": [], "caught": [], "grid": [], "sample": []}
    for subset in range(subsets):
        rows = np.random.default_rng([subset]).permutation(len(robust))[:size]
        few, right, brittle = proxies[rows], subject.right[rows], subject.margins[rows] <= eps
        thresholds = {
            "quantile": matching_threshold(few, right, int(robust[rows].sum())),
            "caught": catching_threshold(few, brittle, CAUGHT),
            "grid": _nearest_of_grid(few, right, brittle),
        }
        for name, threshold in thresholds.items():
            errors[name].append(float((subject.right & (proxies > threshold)).mean() - robust.mean()))
        errors["sample"].append(float(robust[rows].mean() - robust.mean()))
    return {name: np.array(values) for name, values in errors.items()}


def _nearest_of_grid(proxies: Array, right: Array, brittle: Array) -> float:
    """Return the threshold of the grid at which the inputs' estimate is nearest to their own robust accuracy."""
    robust = (right & ~brittle).mean()
    thresholds = [catching_threshold(proxies, brittle, share) for share in GRID]
    return min(thresholds, key=lambda threshold: abs((right & (proxies > threshold)).mean() - robust))
