"""95 % intervals of statistics of ranks, from resampled test images: detection statistics, Kendall's tau.

See docs/verdicts.md, "Intervals".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from touchstone.evaluations.statistics import estimators
from touchstone.evaluations.statistics.estimators import Counts, checked, smallest_integers
from touchstone.evaluations.statistics.intervals import (
    CHUNK,
    Array,
    Interval,
    draws,
    from_samples,
    multiplicities,
    times_drawn,
)
from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE, SCORE, SIGNED, SIGNED_DIFFERENCE

ALL = tuple(estimators.STATISTICS)


def _resampled_counts(
    id_scores: Array, ood_scores: Array, resamples: int, seed: int, counted: Array | None = None, paired: bool = False
) -> Iterator[Counts]:
    if paired and len(id_scores) != len(ood_scores):
        raise ValueError(f"{len(id_scores)} images and {len(ood_scores)} versions of them are no pairs")
    kept = np.ones(len(ood_scores), dtype=bool) if counted is None else counted
    id_places, ood_places, distinct = estimators.ranks(id_scores, ood_scores[kept])
    sizes = (len(id_scores), len(ood_scores))
    strata_of = (0, 0) if paired else (0, 1)
    id_times, ood_times = (
        times_drawn(size, resamples, seed, part) for size, part in zip(sizes, strata_of, strict=True)
    )
    integers, chunk = smallest_integers(*sizes), max(1, CHUNK // sum(sizes))
    whole = np.bincount(ood_places, minlength=distinct)
    strata = (
        _counts(id_times, id_places, distinct, integers, chunk),
        _counts(ood_times[:, kept], ood_places, distinct, integers, chunk),
    )
    for id_counts, ood_counts in zip(*strata, strict=True):
        ood_counts[ood_counts.sum(axis=1) == 0] = whole  # a resample without any row that counts
        yield Counts(id_counts, ood_counts)


def _counts(
    times: Array, places: Array, distinct: int, integers: type[np.signedinteger[Any]], chunk: int
) -> Iterator[Array]:
    """Yield how often each of `distinct` scores is drawn, (up to `chunk`, distinct), if row i has score `places[i]`."""
    order = np.argsort(places)
    taken, starts = np.unique(places[order], return_index=True)
    for start in range(0, len(times), chunk):
        part = times[start : start + chunk]
        counts = np.zeros((len(part), distinct), dtype=integers)
        if len(taken) == len(places):
            counts[:, places] = part
        else:
            counts[:, taken] = np.add.reduceat(part[:, order], starts, axis=1, dtype=integers)
        yield counts


def detection_samples(
    id_scores: Array,
    ood_scores: Array,
    *,
    resamples: int,
    seed: int,
    statistics: tuple[str, ...] = ALL,
    counted: Array | None = None,
    paired: bool = False,
) -> dict[str, Array]:
    """Resample detection statistics: {name: (resamples,)}, ID and anomalous rows resampled separately or in pairs.

    The draws depend only on the numbers of rows and the seed. Two detectors that are scored on the same rows get the
    same resamples, so the difference of their samples is a paired bootstrap.

    Args:
        counted: which anomalous rows count, (N,) bool; all of them if None.
        paired: anomalous row i is a version of ID row i, such as its attacked one, so that both are drawn together.
    """
    parts: dict[str, list[Array]] = {name: [] for name in statistics}
    for counts in _resampled_counts(id_scores, ood_scores, resamples, seed, counted, paired):
        for name, values in parts.items():
            values.append(estimators.STATISTICS[name](counts))
    return {name: np.concatenate(values) for name, values in parts.items()}


def detection(
    id_scores: Array,
    ood_scores: Array,
    *,
    resamples: int,
    seed: int,
    counted: Array | None = None,
    paired: bool = False,
) -> dict[str, Interval]:
    """Return every detection statistic with its interval.

    Args:
        counted, paired: as for `detection_samples`.
    """
    samples = detection_samples(id_scores, ood_scores, resamples=resamples, seed=seed, counted=counted, paired=paired)
    kept = ood_scores if counted is None else ood_scores[counted]
    drawn_from = _populations(id_scores, ood_scores, paired)
    return {
        name: from_samples(estimators.point(name, id_scores, kept), samples[name], drawn_from, SCORE, counted=len(kept))
        for name in samples
    }


def _populations(id_scores: Array, ood_scores: Array, paired: bool) -> tuple[int, ...]:
    """Return the sizes of the populations that are resampled."""
    return (len(id_scores),) if paired else (len(id_scores), len(ood_scores))


def split_detection(scores: Array, anomalous: Array, *, resamples: int, seed: int) -> dict[str, Interval]:
    """Return every detection statistic of one population, (N,), in which each network finds other rows anomalous.

    The rows are drawn together, so that all networks see the same ones.
    """
    distinct, places = np.unique(checked(scores, "scores"), return_inverse=True)
    times = times_drawn(len(scores), resamples, seed)
    parts: dict[str, list[Array]] = {name: [] for name in ALL}
    # Two places per score: one for each kind of row.
    both = places + len(distinct) * anomalous
    whole = np.bincount(both, minlength=2 * len(distinct)).reshape(2, -1)
    integers = smallest_integers(len(scores), len(scores))
    for part in _counts(times, both, 2 * len(distinct), integers, max(1, CHUNK // len(scores))):
        counts = part.reshape(len(part), 2, len(distinct))
        counts[(counts.sum(axis=2) == 0).any(axis=1)] = whole  # a resample without any row of one kind
        for name, values in parts.items():
            values.append(estimators.STATISTICS[name](Counts(counts[:, 0], counts[:, 1])))
    values_of = {name: estimators.point(name, scores[~anomalous], scores[anomalous]) for name in ALL}
    samples = {name: np.concatenate(values) for name, values in parts.items()}
    rarer = min(int(anomalous.sum()), int((~anomalous).sum()))
    return {name: from_samples(values_of[name], samples[name], (len(scores),), SCORE, counted=rarer) for name in ALL}


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
    counted: Array | None = None,
    paired: bool = False,
) -> dict[str, Interval]:
    """Return first minus second for each detection statistic, paired: row i is the same input in both.

    Args:
        first, second: (id_scores, ood_scores) of two detectors.
        counted, paired: as for `detection_samples`.
    """
    if [len(part) for part in first] != [len(part) for part in second]:
        raise ValueError("a paired difference needs the same rows on both sides")
    samples = [
        detection_samples(*side, resamples=resamples, seed=seed, statistics=statistics, counted=counted, paired=paired)
        for side in (first, second)
    ]
    kept = [(side[0], side[1] if counted is None else side[1][counted]) for side in (first, second)]
    return {
        name: from_samples(
            estimators.point(name, *kept[0]) - estimators.point(name, *kept[1]),
            samples[0][name] - samples[1][name],
            _populations(*first, paired),
            SIGNED,
            counted=len(kept[0][1]),
        )
        for name in statistics
    }


def kendall(first: Array, second: Array, *, resamples: int, seed: int) -> Interval:
    """Return Kendall's tau-b of two columns (N,) with its interval; ValueError as for `estimators.kendall_tau`."""
    samples = kendall_samples(first, second, resamples=resamples, seed=seed)
    return from_samples(estimators.kendall_tau(first, second), samples, (len(first),), SIGNED)


def kendall_difference(
    first: tuple[Array, Array], second: tuple[Array, Array], *, resamples: int, seed: int
) -> Interval:
    """Return tau-b of the first pair of columns minus that of the second, paired: row i is the same input in all."""
    if len({len(column) for column in (*first, *second)}) > 1:
        raise ValueError("a paired difference needs the same rows on both sides")
    samples = [kendall_samples(*columns, resamples=resamples, seed=seed) for columns in (first, second)]
    value = estimators.kendall_tau(*first) - estimators.kendall_tau(*second)
    return from_samples(value, samples[0] - samples[1], (len(first[0]),), SIGNED_DIFFERENCE)


PAIRS = 1000  # rows up to which all pairs at once are faster than one sort per resample


def kendall_samples(first: Array, second: Array, *, resamples: int, seed: int) -> Array:
    """Return Kendall's tau-b of resampled rows, (resamples,); the draws depend only on the number of rows and the seed.

    A resample in which a column is constant has no order, so it counts as 0 and not as a failure.
    """
    columns = [estimators.dense_ranks(first), estimators.dense_ranks(second)]
    rows = len(columns[0])
    chunk = max(1, CHUNK // rows)
    if rows > PAIRS:
        drawn = draws(rows, resamples, np.random.default_rng([seed]), chunk)
        return np.array([_tau(columns[0][part], columns[1][part]) for several in drawn for part in several])
    signs = [np.sign(column[:, None] - column[None]).astype(np.float64) for column in columns]
    parts = []
    for start in range(0, resamples, chunk):
        times = multiplicities(rows, resamples, seed)[start : start + chunk]
        agree = _pairs(times, signs[0] * signs[1])
        untied = np.sqrt(_pairs(times, signs[0] ** 2)) * np.sqrt(_pairs(times, signs[1] ** 2))
        parts.append(np.divide(agree, untied, out=np.zeros(len(times)), where=untied > 0))
    return np.concatenate(parts)


def _pairs(times: Array, values: Array) -> Array:
    """Return the sum of `values` (N, N) over all pairs of rows, each as often as both of its rows were drawn, (R,).

    The values are -1, 0 and 1, so that sums are whole numbers and no order of summing matters.
    """
    if np.count_nonzero(values) == values.size - len(values) and (values >= 0).all():  # no ties: 1 off the diagonal
        return np.asarray(times.sum(axis=1) ** 2 - (times**2).sum(axis=1))
    return np.asarray(((times @ values) * times).sum(axis=1))


def _tau(first: Array, second: Array) -> float:
    """Return tau-b of two columns of ranks, or 0 if one is constant; to rank them again would take as long."""
    return estimators.tau_of_ranks(first, second) if np.ptp(first) != 0 and np.ptp(second) != 0 else 0.0
