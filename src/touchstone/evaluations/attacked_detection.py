"""How well detectors separate ID from OOD inputs, clean and while an attacker changes both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import estimators, intervals, rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval, from_samples
from touchstone.evaluations.statistics.rows import MEAN, grouped, only, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("auroc_clean", "auroc_both", "no_score_gradient")
STUCK = "no_score_gradient"
Sides = tuple[Cell, Cell]  # the ID and the OOD scores that one number compares


def attacked_detection(
    scores: list[Cell],
    examples: list[Cell],
    *,
    id_examples: str,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure each detector clean, and while ID and OOD inputs are attacked.

    Args:
        scores: of each classifier and detector on `id_examples` and on OOD sets, clean and under each attack. Attacks
            are adaptive (made on that detector) or made on the bare network.
        examples: the attacked images, whose notes say where the score has no gradient.
        id_examples: the in-distribution set.

    Returns:
        Rows per classifier seed, detector, OOD set and attack on SET/ATTACK, then means over seeds. n counts both
        sides. On mean_of_sets/ATTACK is the mean AUROC over the OOD sets. It flatters if one of them resembles the
        training outliers, so never read it without the sets. Metrics:

        - auroc_clean, auroc_both: nothing or both sides attacked.
        - no_score_gradient: of the images that an adaptive attack left, the share at which the score's gradient is
          still exactly 0; on mean_of_sets/ATTACK the mean over the OOD sets. An attacker who follows gradients was stuck
          there, so an AUROC with them attacked is only an upper bound.

        Intervals are bootstrapped, ID and OOD rows separately.

    Raises:
        ValueError: a side has no scores.

    References:
        Chen et al. 2020 (ALOE); docs/papers/aloe.md, "Evaluation attacks" and "Scaled-down study".
    """
    rows: list[MetricRow] = []
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        clean, *attacked = _sets(group, id_examples)
        rows += _aurocs("auroc_clean", clean, resamples, bootstrap_seed)
        for sets in attacked:
            rows += _aurocs("auroc_both", sets, resamples, bootstrap_seed)
    return with_means([*rows, *_stuck(examples, id_examples)])


def _stuck(examples: list[Cell], id_examples: str) -> Iterator[MetricRow]:
    """Yield the share of images without a gradient, of each attacked set and in the mean of the OOD sets."""
    noted = [cell for cell in examples if cell.attack and STUCK in cell.noun.notes]
    for group in grouped(noted, lambda cell: (cell.victim, cell.attack)).values():
        for cell in group:
            share = intervals.binomial(round(cell.noun.notes[STUCK] * len(cell.noun)), len(cell.noun))
            yield _share([cell], cell.examples, share)
        if anomalous := [cell for cell in group if cell.examples != id_examples]:
            shares = [cell.noun.notes[STUCK] for cell in anomalous]
            yield _share(anomalous, MEAN, Interval(float(np.mean(shares)), None, None))


def _share(cells: list[Cell], examples: str, share: Interval) -> MetricRow:
    cell, n = cells[0], sum(len(cell.noun) for cell in cells)
    entry = f"{cell.entry}+{cell.victim.partition('+')[2].partition('@')[0]}"
    return row(STUCK, share, cell=cell, entry=entry, examples=f"{examples}/{cell.attack}", n=n, files=cells)


def _sets(group: list[Cell], id_examples: str) -> list[list[Sides]]:
    """Return the sides of every OOD set of one classifier and detector: clean, then under each attack."""
    group = [cell for cell in group if not cell.translator]
    clean = {cell.examples: cell for cell in group if not cell.attack}
    about = f"{network(group[0])} and {group[0].detector}"
    normal = only(
        (cell for cell in clean.values() if cell.examples == id_examples), f"scores of {about} on {id_examples}"
    )
    names = sorted(clean.keys() - {id_examples})
    attacked = grouped((cell for cell in group if cell.attack), lambda cell: cell.attack)
    if not names or not attacked:
        raise ValueError(f"{about}: no scores on {'an OOD set' if not names else 'attacked sets'}")

    def on(attack: str, examples: str) -> Cell:
        wanted = (cell for cell in attacked[attack] if cell.examples == examples)
        return only(wanted, f"scores of {about} on {examples} under {attack}")

    under = ([(on(attack, id_examples), on(attack, ood)) for ood in names] for attack in sorted(attacked))
    return [[(normal, clean[ood]) for ood in names], *under]


def _aurocs(metric: str, sets: list[Sides], resamples: int, seed: int) -> Iterator[MetricRow]:
    """Yield the AUROC on each OOD set, and their mean; the same ID rows are drawn for every set."""
    values, samples = [], []
    for sides in sets:
        scores = [cell.noun.scores[np.argsort(cell.noun.example_ids)] for cell in sides]
        drawn = rank_intervals.detection_samples(*scores, resamples=resamples, seed=seed, statistics=("auroc",))
        values.append(estimators.point("auroc", *scores))
        samples.append(drawn["auroc"])
        one = _row(metric, values[-1], samples[-1], [sides], sides[1].examples)
        yield replace(one, base_rate=len(scores[1]) / sum(map(len, scores)))
    yield _row(metric, float(np.mean(values)), np.mean(samples, axis=0), sets, MEAN)


def _row(metric: str, value: float, samples: Array, sets: list[Sides], examples: str) -> MetricRow:
    cell, files = sets[0][1], [cell for sides in sets for cell in sides]
    normal, anomalous = ({cell.file: len(cell.noun.scores) for cell in cells} for cells in zip(*sets, strict=True))
    drawn_from = (max(normal.values()), sum(anomalous.values()))  # the sets share the ID images
    populations = {each.examples: len(each.noun.scores) for each in files}
    return row(
        metric,
        from_samples(value, samples, drawn_from, SCORE),
        cell=cell,
        entry=f"{cell.entry}+{cell.detector}",
        examples=f"{examples}/{cell.attack}" if cell.attack else examples,
        n=sum(populations.values()),
        files=files,
        unit="",
    )
