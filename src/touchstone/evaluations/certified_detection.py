"""Between which two numbers a detector's AUROC lies when ID and OOD inputs are attacked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import estimators, rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval, from_samples
from touchstone.evaluations.statistics.rows import MEAN, grouped, means_over_sets, only, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE, SIGNED
from touchstone.evaluations.statistics.threats import budget, network
from touchstone.records.metric_rows import stated
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("certified_auroc", "attacked_auroc", "bracket_width", "certified_auroc_difference")


def certified_detection(
    scores: list[Cell],
    rival_scores: list[Cell],
    *,
    id_examples: str,
    high: list[str],
    low: list[str],
    eps: list[PositiveFloat],
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Bracket the AUROC that is left if ID and OOD inputs are attacked.

    Args:
        scores: of each classifier and an attackable detector on `id_examples` and on OOD sets, under an attack of each eps;
            and on the clean sets of the detectors `high` and `low`, which certify how far any attack can move its score.
        rival_scores: of the same detector on networks to compare with, on the same sets and under the same attacks.
        id_examples: the in-distribution set.
        high: for each eps, the detector whose score no attack on the ID inputs can exceed.
        low: for each eps, the detector below whose score no attack on the OOD inputs can get.
        eps: of the certificates.

    Returns:
        Rows per classifier seed, OOD set and attack, on SET/ATTACK, and of the mean over sets; then means over seeds:

        - certified_auroc: no attack of this eps leaves less. ID inputs are scored by `high`, OOD inputs by `low`.
        - attacked_auroc: what the attack left, so the AUROC under the best attack is not above it.
        - bracket_width: attacked minus certified, paired.
        - certified_auroc_difference, on "SET/ATTACK less RIVAL": certified minus what the attack left of the rival, paired.
          The difference under the best attacks on both is not below it.

        Images are resampled for the intervals, ID and OOD ones separately.

    Raises:
        ValueError: the lists differ in length, or scores are missing.

    References:
        Zhang et al. 2018 (CROWN), for the certificates.
    """
    if not len(high) == len(low) == len(eps):
        raise ValueError(
            f"high, low and eps name {len(high)}, {len(low)} and {len(eps)} entries, expected as many of each"
        )
    rows: list[MetricRow] = []
    rivals = grouped(rival_scores, lambda cell: (cell.seed, cell.detector, cell.attack, cell.entry))
    for group in grouped(scores, network).values():
        for top, bottom, size in zip(high, low, eps, strict=True):
            attacked = [cell for cell in group if cell.attack and budget(cell)[1] == stated(size)]
            for under in grouped(attacked, lambda cell: (cell.detector, cell.attack)).values():
                of_sets: list[list[MetricRow]] = []
                less: dict[str, list[list[MetricRow]]] = {}
                for cell in sorted((c for c in under if c.examples != id_examples), key=lambda cell: cell.examples):
                    certified = _clean(group, top, id_examples), _clean(group, bottom, cell.examples)
                    normal = only((c for c in under if c.examples == id_examples), f"attacked scores of {id_examples}")
                    of_sets.append(list(_bracket(certified, (normal, cell), resamples, bootstrap_seed)))
                    for (*against, rival), theirs in rivals.items():
                        if against == [cell.seed, cell.detector, cell.attack]:
                            sides = _attacked_sides(theirs, id_examples, cell.examples)
                            one = _difference(certified, sides, cell, resamples, bootstrap_seed)
                            less.setdefault(rival, []).append([one])
                rows += [one for sets in (of_sets, *less.values()) for of_set in sets for one in of_set]
                mean = f"{MEAN}/{under[0].attack}"
                rows += [replace(one, examples=mean) for one in means_over_sets(of_sets)]
                for rival, differences in less.items():
                    rows += [replace(one, examples=f"{mean} less {rival}") for one in means_over_sets(differences)]
    if not rows:
        raise ValueError(f"no attacked scores at eps {', '.join(map(str, eps))}")
    return with_means(rows)


def _clean(group: list[Cell], detector: str, examples: str) -> Cell:
    clean = (c for c in group if (c.detector, c.examples, c.attack, c.translator) == (detector, examples, "", ""))
    return only(clean, f"scores of {network(group[0])} and {detector} on clean {examples}")


def _attacked_sides(cells: list[Cell], id_examples: str, examples: str) -> tuple[Cell, Cell]:
    of_rival = f"attacked scores of the rival {network(cells[0])} on"
    normal, anomalous = (
        only((cell for cell in cells if cell.examples == name), f"{of_rival} {name}")
        for name in (id_examples, examples)
    )
    return normal, anomalous


def _difference(
    certified: tuple[Cell, Cell], rival: tuple[Cell, Cell], cell: Cell, resamples: int, seed: int
) -> MetricRow:
    """Return the row of a certified AUROC minus what an attack left of a rival, drawn together."""
    (below, below_samples), (theirs, samples) = (_auroc(sides, resamples, seed) for sides in (certified, rival))
    sizes = (len(certified[0].noun.scores), len(certified[1].noun.scores))
    interval = from_samples(below - theirs, below_samples - samples, sizes, SIGNED)
    entry, examples = f"{cell.entry}+{cell.detector}", f"{cell.examples}/{cell.attack} less {rival[1].entry}"
    return row(
        "certified_auroc_difference", interval, cell=cell, entry=entry, examples=examples, n=sum(sizes),
        files=(*certified, *rival), unit="difference",
    )  # fmt: skip


def _bracket(
    certified: tuple[Cell, Cell], attacked: tuple[Cell, Cell], resamples: int, seed: int
) -> Iterator[MetricRow]:
    """Yield the rows of one OOD set. Equal draws for equal row numbers make the width a paired difference."""
    (below, below_samples), (above, above_samples) = (_auroc(sides, resamples, seed) for sides in (certified, attacked))
    cell, sizes = attacked[1], (len(attacked[0].noun.scores), len(attacked[1].noun.scores))

    def of(metric: str, interval: Interval, files: tuple[Cell, ...], unit: str = "") -> MetricRow:
        entry, examples = f"{cell.entry}+{cell.detector}", f"{cell.examples}/{cell.attack}"
        return row(metric, interval, cell=cell, entry=entry, examples=examples, n=sum(sizes), files=files, unit=unit)

    yield of("certified_auroc", from_samples(below, below_samples, sizes, SCORE), certified)
    yield of("attacked_auroc", from_samples(above, above_samples, sizes, SCORE), attacked)
    width = from_samples(above - below, above_samples - below_samples, sizes, SIGNED)
    yield of("bracket_width", width, (*certified, *attacked), "difference")


def _auroc(sides: tuple[Cell, Cell], resamples: int, seed: int) -> tuple[float, Array]:
    populations = [cell.noun.scores[np.argsort(cell.noun.example_ids)] for cell in sides]
    samples = rank_intervals.detection_samples(*populations, resamples=resamples, seed=seed, statistics=("auroc",))
    return estimators.point("auroc", *populations), samples["auroc"]
