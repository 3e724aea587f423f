"""95 % intervals of numbers at a threshold that other images gave: those images are resampled too.

All networks take their thresholds from the same images, so what these few show by chance does not average out over
networks. The draws depend only on the numbers of images and the seed: they are the same for every network. See
docs/verdicts.md, "Intervals".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from touchstone.evaluations.statistics import intervals, seed_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import CHUNK, Interval, Resampled
from touchstone.evaluations.statistics.seed_intervals import PLAIN, SCORE
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.records.nouns import Detector, Scores

CALIBRATION = 1  # the stream of random numbers; 0 is that of the images that are tested on


@dataclass(frozen=True, eq=False)
class Threshold:
    """A threshold, and what it would have been on resampled images.

    Attributes:
        value: the threshold itself.
        samples: (B,), on resampled images.
        images: how many it comes from.
    """

    value: float
    samples: Array
    images: int


def resampled_threshold(
    value: float,
    columns: tuple[Array, ...],
    find: Callable[..., float],
    *,
    resamples: int = intervals.RESAMPLES,
    seed: int = 0,
) -> Threshold:
    """Return a threshold with its resamples.

    Args:
        value: the threshold that is used.
        columns: what it was found from, (M,) each, in the order of the ids.
        find: finds it from such columns.
        resamples: how often images are resampled.
        seed: of the draws.
    """
    count = len(columns[0])
    samples = [
        find(*(column[part] for column in columns)) for chunk in _draws(count, resamples, seed) for part in chunk
    ]
    return Threshold(value, np.array(samples), count)


def of_detector(
    detector: Detector, calibration: Scores, *, resamples: int = intervals.RESAMPLES, seed: int = 0
) -> dict[str, Threshold]:
    """Return a detector's thresholds with their resamples, by their false-positive rates as the detector names them.

    Args:
        detector: with the thresholds that are used.
        calibration: its scores of the images that gave them.
        resamples: how often calibration images are resampled.
        seed: of the draws.
    """
    scores = calibration.scores[np.argsort(calibration.example_ids)]
    rates = sorted(detector.thresholds, key=float)
    places = [int(threshold_at(np.arange(len(scores)), float(rate))) for rate in rates]
    # All rates of a resample at once: its scores need no other order than that of these places.
    samples = [np.partition(scores[part], places, axis=1)[:, places] for part in _draws(len(scores), resamples, seed)]
    columns = np.concatenate(samples).T
    return {
        rate: Threshold(detector.thresholds[rate], column, len(scores))
        for rate, column in zip(rates, columns, strict=True)
    }


def _draws(count: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield the rows of resampled calibration images, many resamples at a time."""
    generator = np.random.default_rng([seed, CALIBRATION])
    return intervals.draws(count, resamples, generator, max(1, CHUNK // count))


def share_at(
    threshold: Threshold,
    scores: Array,
    *,
    below: Array | bool,
    above: Array | bool,
    among: Array | None = None,
    value: float | None = None,
    seed: int = 0,
) -> Interval:
    """Return a share of images, which depends on the scores that are above a threshold, with its interval.

    Args:
        threshold: with its resamples.
        scores: one per image, (N,), in the order of the ids; they may be infinite.
        below: whether an image is a hit if its score is at or below the threshold, (N,) bool or one for all.
        above: whether it is a hit if its score is above the threshold.
        among: the images that count, (N,) bool; all of them if None.
        value: the share, if its hits are known better than from rounded scores.
        seed: of the draws of images; with the seed of other numbers, the images are drawn as for those.
    """
    count, resamples = len(scores), len(threshold.samples)
    among = np.ones(count, dtype=bool) if among is None else among
    counted = int(np.count_nonzero(among))
    low, high = (np.where(among, hits, False).astype(np.float64) for hits in (below, above))
    times = intervals.multiplicities(count, resamples, seed)
    drawn = intervals.resampled_sums(times, among.astype(np.float64))
    parts = []
    for start in range(0, resamples, step := max(1, CHUNK // count)):
        part = slice(start, start + step)
        numbers = np.where(scores <= threshold.samples[part, None], low, high)
        whole = numbers.sum(axis=1) / counted  # of a resample without any image that counts
        totals = (times[part] * numbers).sum(axis=1)
        parts.append(np.divide(totals, drawn[part], out=whole, where=drawn[part] > 0))
    samples = np.concatenate(parts)
    if value is None:
        value = float(np.where(scores <= threshold.value, low, high).sum() / counted)
    return _interval(value, samples, (count, threshold.images), SCORE, counted)


def less_threshold(threshold: Threshold, scores: Array, *, unit: float, seed: int = 0) -> Interval:
    """Return the mean of scores minus a threshold with its interval.

    Args:
        threshold: with its resamples.
        scores: one per image, (N,), in the order of the ids.
        unit: of the result, such as the spread of the calibration scores.
        seed: of the draws of images, as for `share_at`.
    """
    above = (scores - threshold.value) / unit
    times = intervals.multiplicities(len(scores), len(threshold.samples), seed)
    samples = intervals.resampled_sums(times, above) / len(scores) - (threshold.samples - threshold.value) / unit
    return _interval(float(above.mean()), samples, (len(scores), threshold.images), PLAIN, len(scores))


def _interval(value: float, samples: Array, drawn_from: tuple[int, ...], method: str, counted: int) -> Interval:
    count = drawn_from[0]
    ends = seed_intervals.ends(value, float(np.var(samples, ddof=1)), max(count - 1, 1), counted, method)
    # A share of 0 or 1 is bounded by the images that it is a share of, not by those that gave the threshold.
    return Interval(value, *ends, method, Resampled(samples, drawn_from, method, tested=count))
