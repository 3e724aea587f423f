"""95 % intervals of one network's numbers: exact binomial for shares, else from resampled test images.

How the intervals of several networks become that of their mean: seed_intervals.py. See docs/verdicts.md, "Intervals".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray
from scipy import special

from touchstone.evaluations.statistics import seed_intervals
from touchstone.evaluations.statistics.estimators import checked
from touchstone.evaluations.statistics.seed_intervals import CONFIDENCE, PLAIN, SCORE

Array = NDArray[Any]
EXACT, PERCENTILE = "exact", "percentile"  # methods of one network's numbers; those of means are in seed_intervals.py
RESAMPLES = 1000


class Sampling(TypedDict):
    """How often images are resampled, and with which random numbers."""

    resamples: int
    seed: int


MOST_COUNTS = 2**24  # counts of draws that are kept as float64
ROWS_AT_A_TIME = 128  # resamples; of a multiple of 8, the linear algebra sums each row as it does in the whole product
CHUNK = 100_000  # draws in memory at once: they fit into the processor's cache, whatever the number of resamples


@dataclass(frozen=True, eq=False)
class Resampled:
    """A number on resampled images, from which seed_intervals.py makes the interval of a mean over seeds.

    Attributes:
        samples: (B,) values of the number.
        drawn_from: the sizes of the populations that were resampled. Numbers with equal sizes had equal draws.
        method: how the ends of the mean's interval are found, one of seed_intervals.METHODS.
        tested: how many images the number is about, if only one of the populations is.
    """

    samples: Array
    drawn_from: tuple[int, ...]
    method: str
    tested: int | None = None

    @property
    def images(self) -> int:
        """How many images limit the interval: those tested on, or else the fewer of two populations."""
        return min(self.drawn_from) if self.tested is None else self.tested


class Interval(NamedTuple):
    """A value and the ends of its 95 % interval; None if it has none.

    Attributes:
        method: how the ends were found.
        resampled: what a mean over seeds needs; None if it can have no interval.
    """

    value: float
    low: float | None
    high: float | None
    method: str = ""
    resampled: Resampled | None = None


def from_samples(
    value: float,
    samples: Array,
    drawn_from: tuple[int, ...],
    method: str,
    *,
    counted: int | None = None,
    df: int | None = None,
) -> Interval:
    """Return the interval of one network's number from its resamples.

    Args:
        value: the number.
        samples: the number on resampled images, (B,).
        drawn_from: the sizes of the populations that were resampled.
        method: one of seed_intervals.METHODS.
        counted: how many of the images drawn from count; all of them if None.
        df: degrees of freedom of the samples' variance; one less than the images if None.
    """
    if np.isnan(samples).any():
        raise ValueError("a bootstrap sample is NaN")
    images = min(drawn_from)
    fewest = images if counted is None else min(images, counted)
    df = max(images - 1, 1) if df is None else df
    ends = seed_intervals.ends(value, float(np.var(samples, ddof=1)), df, fewest, method)
    return Interval(value, *ends, method, Resampled(samples, drawn_from, method))


def percentile(value: float, samples: Array, drawn_from: tuple[int, ...]) -> Interval:
    """Return `value` between the 2.5th and the 97.5th percentile of its bootstrap samples, which may be infinite."""
    if np.isnan(samples).any():
        raise ValueError("a bootstrap sample is NaN")
    tail = (1 - CONFIDENCE) / 2
    # Without interpolation an infinite end stays infinite instead of becoming NaN.
    low, high = np.quantile(samples, [tail, 1 - tail], method="inverted_cdf")
    resampled = Resampled(samples, drawn_from, PLAIN) if np.isfinite(samples).all() else None
    return Interval(value, float(low), float(high), PERCENTILE, resampled)


@cache  # a study has few counts
def exact(successes: int, count: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the ends of the exact interval of a rate (Clopper & Pearson 1934)."""
    if count < 1:
        raise ValueError("a rate of no rows")
    tail, failures = (1 - confidence) / 2, count - successes
    low = float(special.betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(special.betainccinv(successes + 1, failures, tail)) if failures else 1.0
    return low, high


def binomial(successes: int, count: int) -> Interval:
    """Return the rate successes / count with its exact interval."""
    return Interval(successes / max(count, 1), *exact(successes, count), EXACT)


def share(hits: Array, among: Array | None = None) -> Interval:
    """Return the share of `hits` (N,) bool with its exact interval.

    Args:
        hits: one per image, in the order of the ids.
        among: the images that count, (N,) bool; all of them if None. Which count may depend on the network.
    """
    among = np.ones(len(hits), dtype=bool) if among is None else among
    interval = binomial(int(np.count_nonzero(hits & among)), int(np.count_nonzero(among)))
    samples = _ratio_samples((hits & among).astype(np.float64), among, RESAMPLES, 0)
    return interval._replace(resampled=Resampled(samples, (len(hits),), SCORE))


@lru_cache(maxsize=8)  # a job resamples few sets, each for many numbers
def times_drawn(rows: int, resamples: int, *seeds: int) -> Array:
    """Return how often each row is in each resample, (resamples, rows) int16. Only the arguments decide the draws."""
    generator, chunk = np.random.default_rng(seeds), max(1, CHUNK // rows)
    times = np.empty((resamples, rows), dtype=np.int16)
    for place, drawn in enumerate(draws(rows, resamples, generator, chunk)):
        own = drawn + rows * np.arange(len(drawn))[:, None]
        counts = np.bincount(own.ravel(), minlength=own.size)
        times[place * chunk : place * chunk + len(drawn)] = counts.reshape(drawn.shape)
    return times


@lru_cache(maxsize=2)
def multiplicities(rows: int, resamples: int, seed: int) -> Array:
    """Return `times_drawn` for products with numbers: as float64, unless that would take more than 128 MB."""
    times = times_drawn(rows, resamples, seed)
    return times.astype(np.float64) if times.size <= MOST_COUNTS else times


def resampled_sums(times: Array, values: Array) -> Array:
    """Return the sum of `values` (N,) over each resample, (resamples,).

    Args:
        times: (resamples, N), by `multiplicities`.
        values: one per image.
    """
    if times.dtype == np.float64:
        return np.asarray(times @ values)
    parts = range(0, len(times), ROWS_AT_A_TIME)
    return np.concatenate([times[start : start + ROWS_AT_A_TIME].astype(np.float64) @ values for start in parts])


def _ratio_samples(values: Array, among: Array, resamples: int, seed: int) -> Array:
    """Return the mean of `values` (N,), which are 0 outside `among`, over the resampled rows of `among`."""
    times = multiplicities(len(values), resamples, seed)
    counted = resampled_sums(times, among.astype(np.float64))
    whole = values.sum() / max(int(np.count_nonzero(among)), 1)  # of a resample without any row that counts
    return np.asarray(
        np.divide(resampled_sums(times, values), counted, out=np.full(resamples, whole), where=counted > 0)
    )


def draws(rows: int, resamples: int, generator: np.random.Generator, chunk: int) -> Iterator[Array]:
    """Yield row numbers drawn with replacement, (up to `chunk`, rows), until there are `resamples` samples."""
    for start in range(0, resamples, chunk):
        yield generator.integers(0, rows, size=(min(chunk, resamples - start), rows))


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
    drawn = draws(rows, resamples, np.random.default_rng([seed]), max(1, CHUNK // rows))
    return value, np.concatenate([statistic(*(column[part] for column in columns)) for part in drawn])


def mean(values: Array, *, resamples: int, seed: int, method: str = PLAIN, among: Array | None = None) -> Interval:
    """Return the mean of `values` (N,) with its interval.

    Args:
        values: one per image, in the order of the ids.
        method: PLAIN; SIGNED for paired differences of shares; SCORE for values in [0, 1].
        among: the images that count, (N,) bool; all of them if None.
    """
    values = checked(values, "values")
    among = np.ones(len(values), dtype=bool) if among is None else among
    samples = _ratio_samples(np.where(among, values, 0.0), among, resamples, seed)
    counted, value = int(np.count_nonzero(among)), float(values[among].mean())
    if counted == 1 and method != SCORE:
        return Interval(value, None, None)  # one image says nothing of how images vary
    # The variance of a bootstrap of n images is (n - 1) / n of the truth: little if all count.
    if counted < len(values):
        samples = value + (samples - value) * np.sqrt(counted / max(counted - 1, 1))
    return from_samples(value, samples, (len(values),), method, counted=counted, df=max(counted - 1, 1))


def median(values: Array, *, resamples: int, seed: int) -> Interval:
    """Return the lower median of `values` (N,), which may hold infinities: it is one of them."""

    def lower_median(sample: Array) -> Array:
        middle = (sample.shape[1] - 1) // 2
        return np.asarray(np.partition(sample, middle, axis=1)[:, middle])

    return percentile(*bootstrap(lower_median, (values,), resamples=resamples, seed=seed), (len(values),))
