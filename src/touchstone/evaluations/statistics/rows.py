"""How evaluations make metric rows from cells: named, joined by example id, averaged over seeds.

What a row is, and how to read one: records/metric_rows.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from touchstone.evaluations.statistics import intervals, seed_intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.seed_intervals import Spread
from touchstone.evaluations.statistics.threats import network, threat
from touchstone.records.metric_rows import Threat, seedless
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

Array = NDArray[Any]
MEAN = "mean_of_sets"  # in place of the name of a set
READ = ("outputs/", "scores/", "margins/")  # kinds of files that a network made; its name comes next
RANGE = "range"  # the method of a mean of numbers that are no estimates: its ends are the least and the greatest
End = TypeVar("End", float, float | None)
Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


def row(
    metric: str,
    interval: Interval,
    *,
    cell: Cell,
    n: int,
    files: Iterable[Cell],
    entry: str | None = None,
    examples: str | None = None,
    threat_model: Threat | None = None,
    unit: str = "fraction",
    base_rate: float | None = None,
) -> MetricRow:
    """Return the row of one number about `cell`; the step evaluate fills in the evaluation's name.

    Args:
        files: the artefacts that the number was computed from.
        entry, examples, threat_model: those of `cell` if None.
    """
    drawn = interval.resampled
    low, high = _possible(interval.low, interval.high, unit)
    return MetricRow(
        evaluation="",
        entry=cell.entry if entry is None else entry,
        examples=place(cell) if examples is None else examples,
        metric=metric,
        value=float(interval.value),
        unit=unit,
        low=_finite(low),
        high=_finite(high),
        n=int(n),
        base_rate=base_rate,
        seed=cell.seed,
        threat=threat(cell) if threat_model is None else threat_model,
        files=tuple(dict.fromkeys(source.file for source in files)),
        method=interval.method,
        images=None if drawn is None else drawn.images,
        image_variance=None if drawn is None else float(np.var(drawn.samples, ddof=1)),
        resampled=drawn,
    )


def rate_row(
    metric: str,
    hits: Array,
    cell: Cell,
    *,
    among: Array | None = None,
    ids: Array | None = None,
    files: Iterable[Cell] = (),
    **about: Any,
) -> MetricRow:
    """Return the row of a rate, the share of `hits` (N,) bool, with its exact binomial interval.

    Args:
        among: the images that count, (N,) bool; all of them if None.
        ids: the images, (N,); those of `cell`, in its order, if None.
        files: the artefacts that it was computed from; only `cell` if empty.
    """
    order = np.argsort(cell.noun.example_ids if ids is None else ids)
    counted = np.ones(len(hits), dtype=bool) if among is None else among
    interval = intervals.share(hits[order], counted[order])
    return row(metric, interval, cell=cell, n=int(counted.sum()), files=list(files) or [cell], **about)


def _possible(low: End, high: End, unit: str) -> tuple[End, End]:
    """Return the ends of an interval; no share is below 0 or above 1 and no distance below 0, though a t interval may be."""
    if unit not in ("fraction", "pixels") or low is None or high is None:
        return low, high
    return max(low, 0.0), min(high, 1.0) if unit == "fraction" else high


def _finite(end: float | None) -> float | None:
    return None if end is None or not np.isfinite(end) else float(end)


def place(cell: Cell) -> str:
    """Return the name of the cell's images without seeds: "digits_test", "digits_test/pgd", "digits_test/pgd/unet".

    The victim is included if it is not the classifier itself: "digits_test/mlp/pgd".
    """
    victim = "" if cell.victim in ("", network(cell)) else seedless(cell.victim)
    return "/".join(part for part in (cell.examples, victim, cell.attack, seedless(cell.translator)) if part)


def of_images(cell: Cell) -> Cell:
    """Return the cell of a set of images: without classifier, with the seed of the network that last changed them."""
    match = re.match(r"[a-z][a-z0-9_]*\.(\d+)", cell.translator or cell.victim)
    return replace(cell, entry="", seed=int(match[1]) if match else None)


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Return the items by key, in the order in which the keys first occur."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def only(cells: Iterable[Cell], what: str) -> Cell:
    """Return the single cell; ValueError says `what` was looked for if there is none, or more than one."""
    matching = list(cells)
    if len(matching) != 1:
        names = ", ".join(cell.file for cell in matching) or "none is given"
        raise ValueError(f"expected one file with {what}: {names}")
    return matching[0]


def attacked_outputs(outputs: Iterable[Cell], cell: Cell) -> Cell:
    """Return the outputs of the cell's classifier on the cell's attacked set."""
    place = (network(cell), cell.examples, cell.victim, cell.attack, cell.translator)
    same = (out for out in outputs if (network(out), out.examples, out.victim, out.attack, out.translator) == place)
    return only(same, f"outputs of {network(cell)} on {cell.examples} under {cell.attack} of {cell.victim}")


def clean_outputs(outputs: Iterable[Cell], cell: Cell) -> Cell:
    """Return the outputs of the cell's classifier on the cell's set, neither attacked nor translated."""
    own = (out for out in outputs if network(out) == network(cell) and out.examples == cell.examples)
    clean = (out for out in own if not out.attack and not out.translator)
    return only(clean, f"outputs of {network(cell)} on clean {cell.examples}")


def rows_of(ids: Array, wanted: Array, what: str) -> Array:
    """Return the index in `ids` of each of `wanted`; ValueError if one is missing."""
    order = np.argsort(ids, kind="stable")
    places = np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)
    rows = order[places]
    if not np.array_equal(ids[rows], wanted):
        raise ValueError(f"{what}: {int((ids[rows] != wanted).sum())} of {len(wanted)} example ids are missing")
    return np.asarray(rows)


def means_over_sets(of_sets: list[list[MetricRow]]) -> list[MetricRow]:
    """Return the mean of each metric over several sets, on mean_of_sets; nothing for a single set.

    Args:
        of_sets: the rows of each set, the same metrics in the same order, about the same ID images.
    """
    return [mean_over_sets(rows) for rows in zip(*of_sets, strict=True) if len(rows) > 1]


def mean_over_sets(rows: Sequence[MetricRow]) -> MetricRow:
    """Return the mean of one metric over several sets, on mean_of_sets, about the same ID images.

    It shows no more than the set with the fewest images that count, which weighs as much as each other.
    """
    parts = [one.resampled for one in rows if one.resampled is not None]
    value, samples = float(np.mean([one.value for one in rows])), np.mean([part.samples for part in parts], axis=0)
    drawn_from = min(part.drawn_from for part in parts)  # of attacks all the same
    n = min(one.n for one in rows)
    interval = intervals.from_samples(value, samples, drawn_from, parts[0].method, counted=n - drawn_from[0])
    rates = [one.base_rate for one in rows if one.base_rate is not None]
    return replace(
        rows[0],
        examples=MEAN,
        value=value,
        low=interval.low,
        high=interval.high,
        n=n,
        base_rate=float(np.mean(rates)) if rates else None,
        images=min(drawn_from),
        image_variance=float(np.var(samples, ddof=1)),
        files=tuple(dict.fromkeys(file for one in rows for file in one.files)),
        resampled=interval.resampled,
    )


def with_means(rows: list[MetricRow]) -> list[MetricRow]:
    """Return the rows, then one row "<metric>_mean" for each number that was measured with more than one seed.

    Its interval is that of the mean over networks and images (seed_intervals.py); its n is the smallest n. Numbers without
    resamples are no estimates: the ends of their mean are the least and the greatest value, and its method is RANGE. So
    are they if one network is behind all of several differences: nothing shows how others in its place would vary.
    """
    groups: dict[tuple[str, str, Threat, str], list[MetricRow]] = {}
    for one in rows:
        key = (seedless(one.entry), seedless(one.examples), one.threat.seedless, one.metric)
        groups.setdefault(key, []).append(one)
    means = [_mean(*key, group) for key, group in groups.items() if len(group) > 1]
    return [replace(one, resampled=None) for one in rows] + means


def _mean(entry: str, examples: str, threat_model: Threat, metric: str, group: list[MetricRow]) -> MetricRow:
    group = sorted(group, key=lambda one: (one.seed is None, one.seed, str(one.threat)))
    rates = [one.base_rate for one in group if one.base_rate is not None]
    mean = replace(
        group[0],
        entry=entry,
        examples=examples,
        metric=f"{metric}_mean",
        value=float(np.mean([one.value for one in group])),
        n=min(one.n for one in group),
        base_rate=float(np.mean(rates)) if rates else None,
        seed=None,
        seeds=tuple(sorted({one.seed for one in group if one.seed is not None})),
        threat=threat_model,
        files=tuple(dict.fromkeys(file for one in group for file in one.files)),
        resampled=None,
    )
    return _with_interval(mean, group)


def _with_interval(mean: MetricRow, group: list[MetricRow]) -> MetricRow:
    values = np.array([one.value for one in group])
    parts = [one.resampled for one in group if one.resampled is not None]
    lacking = len(parts) < len(group) or len(mean.seeds) < len(group)
    if lacking or one_sided(group):
        images = None if lacking else mean.images
        return replace(mean, low=float(values.min()), high=float(values.max()), method=RANGE, images=images)
    drawn_from, method = parts[0].drawn_from, parts[0].method
    aligned = all(part.drawn_from == drawn_from for part in parts)
    images = min(part.images for part in parts)
    spread = seed_intervals.spread(values, np.stack([part.samples for part in parts]), images, aligned=aligned)
    ends = seed_intervals.ends(mean.value, spread.variance, spread.df, _fewest(mean, images), method)
    low, high = _possible(*ends, mean.unit)
    return replace(
        mean,
        low=low,
        high=high,
        method=method,
        images=images,
        seed_variance=spread.seed_variance,
        image_variance=spread.image_variance,
        residual_variance=spread.residual_variance,
    )


def one_sided(group: Sequence[MetricRow]) -> bool:
    """Return whether differences of several networks have the same other network on one side."""
    if not group[0].unit.startswith("difference"):
        return False
    readers = [{file.split("/")[1] for file in one.files if file.startswith(READ)} for one in group]
    return bool(set.intersection(*readers))


def ends_of(one: MetricRow, confidence: float) -> tuple[float, float] | None:
    """Return the ends of a row's interval with another confidence; None if its numbers are no estimates."""
    if one.method == intervals.EXACT:
        return intervals.exact(round(one.value * one.n), one.n, confidence)
    if one.method not in seed_intervals.METHODS or one.images is None or one.image_variance is None:
        return None
    spread = _spread(one)
    ends = seed_intervals.ends(one.value, spread.variance, spread.df, _fewest(one, one.images), one.method, confidence)
    return _possible(*ends, one.unit)


def ends_of_one(one: MetricRow, others: MetricRow) -> tuple[float, float] | None:
    """Return the ends of the interval of one network's number, with the variance of seeds of several other networks.

    Args:
        one: of one network.
        others: the mean over the others, of the same number.

    Returns:
        None if either number is no estimate.
    """
    if others.method not in seed_intervals.METHODS or None in (others.seed_variance, others.images, one.image_variance):
        return None
    own, several = _spread(one), _spread(others)
    variance, df = seed_intervals.of_one_network(own, several)
    ends = seed_intervals.ends(one.value, variance, df, _fewest(one, own.images), others.method)
    return _possible(*ends, one.unit)


def _spread(one: MetricRow) -> Spread:
    """Return what a row's number varies by; what is not known of it is 0."""
    variances = (each or 0.0 for each in (one.seed_variance, one.image_variance, one.residual_variance))
    return Spread(max(len(one.seeds), 1), one.images or 0, *variances)


def _fewest(one: MetricRow, images: int) -> int:
    """Return how many images bound what a number can show if its variance is 0.

    They are those that count, if only some of the drawn images do. With a base rate, the rarer kind counts. If n counts
    known and anomalous images together and their shares are not known, the second population is what n exceeds the images
    by.
    """
    rarer = 1.0 if one.base_rate is None else min(one.base_rate, 1 - one.base_rate)
    if one.n <= images:
        return max(round(one.n * rarer), 1)
    return max(min(images, one.n - images if one.base_rate is None else round(one.n * rarer)), 1)


def measured(metric: str) -> str:
    """Return the metric that a mean over seeds is a mean of; any other metric unchanged."""
    return metric.removesuffix("_mean")
