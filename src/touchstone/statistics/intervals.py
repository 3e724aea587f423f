"""95 % intervals: percentile bootstrap over test rows, exact binomial for rates.

See docs/papers/shared.md, "Intervals", and docs/verdicts.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from touchstone.statistics import estimators
from touchstone.statistics.estimators import Counts, checked

Array = NDArray[Any]
CONFIDENCE = 0.95
ALL = tuple(estimators.STATISTICS)
CHUNK = 100_000  # draws in memory at once: they fit into the processor's cache, whatever the number of resamples


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval; None if it has none."""

    value: float
    low: float | None
    high: float | None


def percentile(value: float, samples: Array) -> Interval:
    """Return `value` between the 2.5th and the 97.5th percentile of its bootstrap samples."""
    if np.isnan(samples).any():
        raise ValueError("a bootstrap sample is NaN")
    tail = (1 - CONFIDENCE) / 2
    # Without interpolation an infinite end stays infinite instead of becoming NaN.
    low, high = np.quantile(samples, [tail, 1 - tail], method="inverted_cdf")
    return Interval(value, float(low), float(high))


def binomial(successes: int, count: int) -> Interval:
    """Return the rate successes / count with its exact interval (Clopper & Pearson 1934)."""
    if count < 1:
        raise ValueError("a rate of no rows")
    exact = stats.binomtest(successes, count).proportion_ci(CONFIDENCE, method="exact")
    return Interval(successes / count, float(exact.low), float(exact.high))


def _draws(rows: int, resamples: int, generator: np.random.Generator, chunk: int) -> Iterator[Array]:
    """Yield row numbers drawn with replacement, (up to `chunk`, rows), until there are `resamples` samples."""
    for start in range(0, resamples, chunk):
        yield generator.integers(0, rows, size=(min(chunk, resamples - start), rows))


def _resampled(places: Array, distinct: int, draws: Array) -> Array:
    """Return how often each distinct score is drawn, (R, M)."""
    samples = len(draws)
    flat = places[draws] + distinct * np.arange(samples)[:, None]
    return np.bincount(flat.ravel(), minlength=samples * distinct).reshape(samples, distinct)


def _resampled_counts(id_scores: Array, ood_scores: Array, resamples: int, seed: int) -> Iterator[Counts]:
    id_places, ood_places, distinct = estimators.ranks(id_scores, ood_scores)
    chunk = max(1, CHUNK // (len(id_places) + len(ood_places)))
    strata = [
        _draws(len(places), resamples, np.random.default_rng([seed, stratum]), chunk)
        for stratum, places in enumerate((id_places, ood_places))
    ]
    for id_draws, ood_draws in zip(*strata, strict=True):
        yield Counts(_resampled(id_places, distinct, id_draws), _resampled(ood_places, distinct, ood_draws))


def detection_samples(
    id_scores: Array, ood_scores: Array, *, resamples: int, seed: int, statistics: tuple[str, ...] = ALL
) -> dict[str, Array]:
    """Resample detection statistics: {name: (resamples,)}, ID and anomalous rows resampled separately.

    The draws depend only on the numbers of rows and the seed. Two detectors that are scored on the same rows get the
    same resamples, so the difference of their samples is a paired bootstrap.
    """
    parts: dict[str, list[Array]] = {name: [] for name in statistics}
    for counts in _resampled_counts(id_scores, ood_scores, resamples, seed):
        for name, values in parts.items():
            values.append(estimators.STATISTICS[name](counts))
    return {name: np.concatenate(values) for name, values in parts.items()}


def detection(id_scores: Array, ood_scores: Array, *, resamples: int, seed: int) -> dict[str, Interval]:
    """Return every detection statistic with its bootstrap interval, stratified by ID and anomalous."""
    samples = detection_samples(id_scores, ood_scores, resamples=resamples, seed=seed)
    return {name: percentile(getattr(estimators, name)(id_scores, ood_scores), samples[name]) for name in samples}


def roc_band(id_scores: Array, ood_scores: Array, *, resamples: int, seed: int) -> tuple[Array, Array, Array]:
    """Return the 95 % band of a ROC curve: false-alarm rates, lower and upper end of the detection rate, (101,) each.

    The band is pointwise: vertical averaging over stratified resamples, ROC curves joined by straight lines (Fawcett
    2006).
    """
    alarms = np.linspace(0, 1, 101)
    caught = [
        np.interp(alarms, np.r_[0, id_from[::-1] / id_from[0]], np.r_[0, ood_from[::-1] / ood_from[0]])
        for counts in _resampled_counts(id_scores, ood_scores, resamples, seed)
        for id_from, ood_from in zip(counts.id_from, counts.ood_from, strict=True)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(caught, [tail, 1 - tail], axis=0)
    return alarms, low, high


def detection_difference(
    first: tuple[Array, Array],
    second: tuple[Array, Array],
    *,
    resamples: int,
    seed: int,
    statistics: tuple[str, ...] = ALL,
) -> dict[str, Interval]:
    """Return first minus second for each detection statistic, paired: row i is the same input in both.

    Args:
        first, second: (id_scores, ood_scores) of two detectors.
    """
    if [len(part) for part in first] != [len(part) for part in second]:
        raise ValueError("a paired difference needs the same rows on both sides")
    samples = [
        detection_samples(*side, resamples=resamples, seed=seed, statistics=statistics) for side in (first, second)
    ]
    return {
        name: percentile(
            getattr(estimators, name)(*first) - getattr(estimators, name)(*second),
            samples[0][name] - samples[1][name],
        )
        for name in statistics
    }


def bootstrap(
    statistic: Callable[..., Array], columns: tuple[Array, ...], *, resamples: int, seed: int
) -> tuple[float, Array]:
    """Return the statistic of some columns, and its resamples (resamples,).

    Args:
        statistic: columns of shape (R, N) to (R,).
        columns: (N,) each; row i of all columns belongs together.
    """
    columns = tuple(checked(column, "values") for column in columns)
    rows = len(columns[0])
    value = float(statistic(*(column[None] for column in columns))[0])
    draws = _draws(rows, resamples, np.random.default_rng([seed]), max(1, CHUNK // rows))
    return value, np.concatenate([statistic(*(column[part] for column in columns)) for part in draws])


def mean(values: Array, *, resamples: int, seed: int) -> Interval:
    """Return the mean of `values` (N,); for a paired difference, pass the differences."""
    return percentile(*bootstrap(lambda sample: sample.mean(axis=1), (values,), resamples=resamples, seed=seed))


def median(values: Array, *, resamples: int, seed: int) -> Interval:
    """Return the lower median of `values` (N,), which may hold infinities: it is one of them."""

    def lower_median(sample: Array) -> Array:
        middle = (sample.shape[1] - 1) // 2
        return np.asarray(np.partition(sample, middle, axis=1)[:, middle])

    return percentile(*bootstrap(lower_median, (values,), resamples=resamples, seed=seed))


def kendall(first: Array, second: Array, *, resamples: int, seed: int) -> Interval:
    """Return Kendall's tau-b of two columns (N,) with its interval; ValueError as for `estimators.kendall_tau`."""
    return percentile(
        estimators.kendall_tau(first, second), kendall_samples(first, second, resamples=resamples, seed=seed)
    )


def kendall_difference(
    first: tuple[Array, Array], second: tuple[Array, Array], *, resamples: int, seed: int
) -> Interval:
    """Return tau-b of the first pair of columns minus that of the second, paired: row i is the same input in all."""
    if len({len(column) for column in (*first, *second)}) > 1:
        raise ValueError("a paired difference needs the same rows on both sides")
    samples = [kendall_samples(*columns, resamples=resamples, seed=seed) for columns in (first, second)]
    return percentile(estimators.kendall_tau(*first) - estimators.kendall_tau(*second), samples[0] - samples[1])


PAIRS = 1000  # rows up to which all pairs at once are faster than one sort per resample


def kendall_samples(first: Array, second: Array, *, resamples: int, seed: int) -> Array:
    """Return Kendall's tau-b of resampled rows, (resamples,); the draws depend only on the number of rows and the seed.

    A resample in which a column is constant has no order, so it counts as 0 and not as a failure.
    """
    # Ranks, since infinity minus infinity is no number.
    columns = [stats.rankdata(checked(column, "column"), method="dense") for column in (first, second)]
    rows = len(columns[0])
    draws = _draws(rows, resamples, np.random.default_rng([seed]), max(1, CHUNK // rows))
    if rows > PAIRS:
        return np.array([_tau(columns[0][part], columns[1][part]) for chunk in draws for part in chunk])
    signs = [np.sign(column[:, None] - column[None]).astype(np.float64) for column in columns]
    products = (signs[0] * signs[1], signs[0] ** 2, signs[1] ** 2)
    parts = []
    for chunk in draws:
        times = _resampled(np.arange(rows), rows, chunk).astype(np.float64)
        # Every pair as often as both of its rows were drawn: whole numbers, so no order of summing matters.
        agree, one, other = (((times @ product) * times).sum(axis=1) for product in products)
        untied = np.sqrt(one) * np.sqrt(other)
        parts.append(np.divide(agree, untied, out=np.zeros(len(chunk)), where=untied > 0))
    return np.concatenate(parts)


def _tau(first: Array, second: Array) -> float:
    return estimators.kendall_tau(first, second) if np.ptp(first) != 0 and np.ptp(second) != 0 else 0.0
