"""How well detectors find images of classes that a network never learned, over random splits of the classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import by_id
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval, from_samples
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threats import network
from touchstone.records.class_splits import class_order
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("auroc", "auroc_minus_*", "auroc_class_*")
MEAN = "mean_of_splits"  # in place of the name of a network
LEARNED = "learned"  # in place of the name of a detector that is fitted for one split


def open_set(
    scores: list[Cell],
    *,
    networks: list[str],
    learned: list[str],
    splits: list[NonNegativeInt],
    known: PositiveInt = 6,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure how well each detector separates images of unknown classes from images of known ones.

    Every network sees the same images, in which other classes are unknown to it. So images are drawn together for all
    networks, and the interval of a mean over splits is that of a mean over networks and images.

    Args:
        scores: of each network and detector on one clean set, labelled with every class: the greatest label says how
            many classes were split.
        networks: classifiers, one per split.
        learned: for each network, the detector that was fitted for its split.
        splits: for each network, the number of its split.
        known: how many classes each network knows.

    Returns:
        Rows auroc per network and detector; auroc_minus_OTHER of the learned detector and every other one, paired by
        image; auroc_class_C, of the learned detector and one unknown class. Of a network only its own learned detector
        counts. If there are several splits, means over them of auroc and auroc_minus_OTHER, of the entries
        mean_of_splits+OTHER and mean_of_splits+learned; their seeds are the numbers of the splits.

    Raises:
        ValueError: the lists differ in length, scores are missing, they are of several sets or lack a class, or a
            network whose split is one of several has more than one seed.

    References:
        Lee and AlRegib, "Open-set recognition with gradient-based representations"; docs/papers/gradient_detection.md.
    """
    if not len(networks) == len(learned) == len(splits):
        raise ValueError(
            f"networks, learned and splits name {len(networks)}, {len(learned)} and {len(splits)}, expected as many"
        )
    clean = [cell for cell in scores if not cell.attack and not cell.translator]
    if len({cell.examples for cell in clean}) > 1:
        raise ValueError("expected scores of one set of images")
    rows: list[MetricRow] = []
    of_splits: list[MetricRow] = []
    for name, own, split in zip(networks, learned, splits, strict=True):
        nets = dict.fromkeys(network(cell) for cell in clean if cell.entry == name)
        if len(splits) > 1 and len(nets) > 1:
            raise ValueError(f"{name} has {len(nets)} seeds, expected one, because splits are averaged")
        if not nets:
            raise ValueError(f"no scores of {name}")
        for net in nets:
            cells = {cell.detector: cell for cell in clean if network(cell) == net}
            if own not in cells:
                raise ValueError(f"no scores of {net} and {own}")
            others = [detector for detector in cells if detector == own or detector not in learned]
            measured = list(
                _rows({detector: cells[detector] for detector in others}, own, split, known, resamples, bootstrap_seed)
            )
            rows += [one for one, _ in measured]
            of_splits += [replace(one, entry=f"{MEAN}+{kind}", seed=split) for one, kind in measured if kind]
    means = [one for one in with_means(of_splits) if one.is_mean] if len(splits) > 1 else []
    return [*with_means(rows), *means]


def _rows(
    cells: dict[str, Cell], own: str, split: int, known: int, resamples: int, seed: int
) -> Iterator[tuple[MetricRow, str]]:
    """Yield each row of one network, and what the detector is called in a mean over splits; "" if there is none."""
    first = cells[own]
    labels = first.noun.labels[np.argsort(first.noun.example_ids)]
    classes = int(labels.max()) + 1
    if missing := sorted(set(range(classes)) - set(labels.tolist())):
        raise ValueError(
            f"{first.examples} has no image of class {missing[0]}, so its classes are not those of the split"
        )
    unknown = class_order(split, classes)[known:]
    anomalous = np.isin(labels, unknown)

    def auroc(detector: str, rows: Array) -> Interval:
        scores = by_id(cells[detector])[rows]
        return rank_intervals.split_detection(scores, anomalous[rows], resamples=resamples, seed=seed)["auroc"]

    def of(metric: str, interval: Interval, files: list[Cell], rows: Array, unit: str = "") -> MetricRow:
        cell, share = files[0], float(anomalous[rows].mean())
        entry = f"{cell.entry}+{cell.detector}"
        return row(metric, interval, cell=cell, entry=entry, n=int(rows.sum()), files=files, unit=unit, base_rate=share)

    everything = np.ones(len(labels), dtype=bool)
    whole = {detector: auroc(detector, everything) for detector in cells}
    for detector, interval in whole.items():
        yield of("auroc", interval, [cells[detector]], everything), LEARNED if detector == own else detector
    mine = whole[own]
    for detector, interval in whole.items():
        if detector != own and mine.resampled is not None and interval.resampled is not None:
            samples = mine.resampled.samples - interval.resampled.samples
            less = from_samples(mine.value - interval.value, samples, (len(labels),), SIGNED)
            yield of(f"auroc_minus_{detector}", less, [first, cells[detector]], everything, "difference"), LEARNED
    for label in sorted(unknown):
        rows = ~anomalous | (labels == label)
        yield of(f"auroc_class_{label}", auroc(own, rows), [first], rows), ""
