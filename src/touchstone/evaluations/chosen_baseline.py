"""By how much detectors that are fitted for one kind of anomaly each beat the best detector that is fitted for none."""

from __future__ import annotations

from dataclasses import replace

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import Contest
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import grouped, means_over_sets, row, with_means
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("auroc", "auroc_minus_chosen", "auroc_minus_peers", "choice_auroc")
LEARNED = "learned"  # in place of the name of a detector that is fitted for one kind
CHOSEN = "chosen"  # in place of the name of the baseline
PEERS = "peers"  # in place of the name of a detector of another kind that is fitted for one kind


def chosen_baseline(
    scores: list[Cell],
    *,
    id_examples: str,
    sets: list[str],
    learned: list[str],
    choice_id: str,
    choice_sets: list[str],
    peers: list[str] | None = None,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Compare detectors of one kind of anomaly each with the baseline that does best on other images of these kinds.

    Whoever has no anomalies to train on would still try several detectors on some and take the best. So the baseline of
    each network is the detector whose mean AUROC on `choice_sets` is the highest, of all that are in neither `learned`
    nor `peers`.

    Args:
        scores: of each network and detector on all sets that are named here, neither attacked nor translated.
        id_examples: the in-distribution set of the test.
        sets: the anomalous sets of the test.
        learned: for each of `sets`, the detector that was fitted for its kind.
        choice_id, choice_sets: the in-distribution set and the anomalous sets on which the baseline is chosen. They
            share no image with the sets of the test.
        peers: for each of `sets`, a detector of another kind that was fitted for it, too. None: there are none.

    Returns:
        Rows auroc of the entries NET+learned, NET+chosen and NET+peers, and auroc_minus_chosen and auroc_minus_peers
        of NET+learned, paired by image, on each of `sets` and on mean_of_sets; choice_auroc of every baseline, the mean
        over `choice_sets`; then means over seeds.

    Raises:
        ValueError: `sets` and `learned` or `peers` differ in length, scores are missing, or no detector is left to
            choose from.

    References:
        docs/papers/gradient_detection.md, "Scaled-down study", S0-9.
    """
    for name, fitted in ((LEARNED, learned), (PEERS, peers)):
        if fitted is not None and len(fitted) != len(sets):
            raise ValueError(f"sets and {name} name {len(sets)} and {len(fitted)}, expected as many")
    drawing = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for group in grouped(scores, network).values():
        baselines = sorted({cell.detector for cell in group} - {*learned, *(peers or ())})
        if not baselines:
            raise ValueError(f"every detector of {network(group[0])} is in learned or peers; name one to choose")
        choices = [[_contest(group, each, choice_id, one) for one in choice_sets] for each in baselines]
        tried = [_mean([_auroc("choice_auroc", one, one.entry, **drawing) for one in of_sets]) for of_sets in choices]
        rows += tried
        best = max(zip(baselines, tried, strict=True), key=lambda pair: pair[1].value)[0]
        sources = tuple(cell for of_sets in choices for one in of_sets for cell in one.files)  # they say which is best
        mine = [_contest(group, own, id_examples, one) for one, own in zip(sets, learned, strict=True)]
        others = {CHOSEN: [replace(_contest(group, best, id_examples, one), sources=sources) for one in sets]}
        if peers is not None:
            others[PEERS] = [_contest(group, own, id_examples, one) for one, own in zip(sets, peers, strict=True)]
        net = group[0].entry
        rows += _with_mean([_auroc("auroc", one, f"{net}+{LEARNED}", **drawing) for one in mine])
        for name, theirs in others.items():
            rows += _with_mean([_auroc("auroc", one, f"{net}+{name}", **drawing) for one in theirs])
            pairs = zip(mine, theirs, strict=True)
            rows += _with_mean([_difference(name, one, other, f"{net}+{LEARNED}", **drawing) for one, other in pairs])
    return with_means(rows)


def _contest(group: list[Cell], detector: str, normal: str, anomalous: str) -> Contest:
    """Return a detector's scores of two sets, from the cells of one network."""
    cells = {
        cell.examples: cell for cell in group if cell.detector == detector and not (cell.attack or cell.translator)
    }
    for examples in (normal, anomalous):
        if examples not in cells:
            raise ValueError(f"no scores of {network(group[0])} and {detector} on {examples}")
    return Contest(cells[normal], cells[anomalous])


def _mean(rows: list[MetricRow]) -> MetricRow:
    return means_over_sets([[one] for one in rows])[0] if len(rows) > 1 else rows[0]


def _with_mean(rows: list[MetricRow]) -> list[MetricRow]:
    return [*rows, _mean(rows)] if len(rows) > 1 else rows


def _auroc(metric: str, contest: Contest, entry: str, *, resamples: int, seed: int) -> MetricRow:
    interval = rank_intervals.detection(*contest.scores, resamples=resamples, seed=seed)["auroc"]
    return _row(metric, interval, contest, entry, "", contest.files)


def _difference(name: str, mine: Contest, other: Contest, entry: str, *, resamples: int, seed: int) -> MetricRow:
    both = rank_intervals.detection_difference(
        mine.scores, other.scores, resamples=resamples, seed=seed, statistics=("auroc",)
    )
    return _row(f"auroc_minus_{name}", both["auroc"], mine, entry, "difference", [*mine.files, *other.files])


def _row(metric: str, interval: Interval, contest: Contest, entry: str, unit: str, files: list[Cell]) -> MetricRow:
    normal, anomalous = contest.sizes
    rate = None if unit else anomalous / (normal + anomalous)
    return row(
        metric, interval, cell=contest.anomalous, entry=entry, n=contest.n, base_rate=rate, unit=unit, files=files
    )
