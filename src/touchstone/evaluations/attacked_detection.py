"""How well detectors separate inputs when an attacker changes the ID inputs, the OOD inputs, or both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import FRACTIONS
from touchstone.evaluations.statistics import estimators, intervals, rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval, from_samples
from touchstone.evaluations.statistics.rows import MEAN, grouped, only, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE, SIGNED
from touchstone.evaluations.statistics.threats import budget, equal_budgets, network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "auroc_clean", "aupr_ood_clean", "aupr_id_clean", "fpr95_id_clean", "fpr95_ood_clean", "detection_error_clean",
    "auroc_both", "aupr_ood_both", "aupr_id_both", "fpr95_id_both", "fpr95_ood_both", "detection_error_both",
    "auroc_id", "auroc_ood", "auroc_id_less_both", "auroc_ood_less_both", "auroc_clean_difference",
    "auroc_both_difference", "no_score_gradient",
)  # fmt: skip
STUCK = "no_score_gradient"
DIFFERENCE = "difference"  # the unit of differences of AUROC, which is not a share
SIDES = ("id", "ood")
Sides = tuple[Cell, Cell]  # the ID and the OOD scores that one number compares
Difference = tuple[float, Array, Cell, tuple[Cell, ...]]  # of one OOD set: its value, its samples, its place, its files


class _Set(NamedTuple):
    """One OOD set under one attack: the scores of both sides, clean and attacked."""

    ood: str
    clean: Sides
    attacked: Sides

    @property
    def sides(self) -> dict[str, Sides]:
        """The scores that are compared, by the side that is attacked."""
        (id_clean, ood_clean), (id_attacked, ood_attacked) = self.clean, self.attacked
        return {"id": (id_attacked, ood_clean), "ood": (id_clean, ood_attacked), "both": (id_attacked, ood_attacked)}


def attacked_detection(
    scores: list[Cell],
    examples: list[Cell],
    *,
    id_examples: str,
    leaders: list[str] = [],  # noqa: B006 - read as a setting, never changed
    every_statistic: bool = True,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure each detector while the ID inputs, the OOD inputs or both are attacked.

    Args:
        scores: of each classifier and detector on `id_examples` and on OOD sets, clean and under each attack. Attacks
            are adaptive (made on that detector) or made on the bare network.
        examples: the attacked images, whose notes say where the score has no gradient.
        id_examples: the in-distribution set.
        leaders: classifiers that are compared with every other one.
        every_statistic: also measure aupr_id (the paper's AUIN), aupr_ood (AUOUT), fpr95_id, fpr95_ood and
            detection_error, clean and with both sides attacked, and how much one side by itself leaves.

    Returns:
        Rows per classifier seed, detector, OOD set and attack on SET/ATTACK, then means over seeds. n counts both
        sides. On mean_of_sets/ATTACK is the mean AUROC over the OOD sets. It flatters if one of them resembles the
        training outliers, so never read it without the sets. Metrics:

        - auroc_clean, auroc_both, auroc_id, auroc_ood: nothing, both sides, only ID or only OOD inputs attacked.
        - no_score_gradient: of the images that an adaptive attack left, the share at which the score's gradient is
          still exactly 0; on mean_of_sets/ATTACK the mean over the OOD sets. An attacker who follows gradients was stuck
          there, so an AUROC with them attacked is only an upper bound.
        - auroc_id_less_both, auroc_ood_less_both: differences on the same inputs, paired; with `every_statistic`.
        - auroc_both_difference on "SET/ATTACK less OTHER", paired: an attack and the next larger eps of its kind and
          norm; an adaptive attack and one on the bare network of equal norm and eps; each of `leaders` and every other
          classifier (for these also auroc_clean_difference).

        Intervals are bootstrapped, ID and OOD rows separately.

    Raises:
        ValueError: a side has no scores, or a leader has none at all.

    References:
        Chen et al. 2020 (ALOE); docs/papers/aloe.md, "Evaluation attacks" and "Scaled-down study".
    """
    lacking = set(leaders) - {cell.entry for cell in scores}
    if lacking:
        raise ValueError(f"no scores of the leaders {sorted(lacking)}")
    measure = _Measure(resamples, bootstrap_seed, every_statistic)
    rows: list[MetricRow] = []
    by_network: dict[tuple[str, str, int | None], dict[str, list[_Set]]] = {}
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        sets = _sets(group, id_examples)
        by_network[group[0].detector, group[0].entry, group[0].seed] = sets
        for one in next(iter(sets.values())):
            rows += measure.clean(one)
        rows += [measure.mean_clean(next(iter(sets.values())))]
        for under in sets.values():
            for one in under:
                rows += measure.attacked(one)
            rows += measure.mean_attacked(under)
        for first, second in _pairs(sets):
            rows += measure.differences("auroc_both", sets[first], sets[second], second)
    for (detector, leader, seed), sets in by_network.items():
        for (other_detector, other, other_seed), theirs in by_network.items():
            if leader in leaders and other != leader and (other_detector, other_seed) == (detector, seed):
                clean, others = next(iter(sets.values())), next(iter(theirs.values()))
                rows += measure.differences("auroc_clean", clean, others, other)
                for attack in sorted(sets.keys() & theirs.keys()):
                    rows += measure.differences("auroc_both", sets[attack], theirs[attack], other)
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


def _sets(group: list[Cell], id_examples: str) -> dict[str, list[_Set]]:
    """Return {attack: its OOD sets} of one classifier and detector."""
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

    return {
        attack: [_Set(ood, (normal, clean[ood]), (on(attack, id_examples), on(attack, ood))) for ood in names]
        for attack in sorted(attacked)
    }


def _pairs(sets: dict[str, list[_Set]]) -> Iterator[tuple[str, str]]:
    """Yield attacks to compare: each with the next larger eps of its kind, adaptive ones with others of equal eps."""
    cells = [under[0].attacked[0] for under in sets.values()]
    bounded = [(eps, norm, cell) for cell in cells for norm, eps in [budget(cell)] if eps is not None]
    kinds = grouped(bounded, lambda one: (one[2].settings["use"], one[1], "+" in one[2].victim))
    for alike in kinds.values():
        by_eps = sorted(alike, key=lambda one: one[0])
        yield from ((a.attack, b.attack) for (small, _, a), (large, _, b) in pairwise(by_eps) if small < large)
    for strong, weak in product(cells, cells):
        if "+" in strong.victim and "+" not in weak.victim and equal_budgets(strong, weak):
            yield strong.attack, weak.attack


class _Measure:
    """Turns scores into rows. Equal draws for equal row numbers make every difference a paired one."""

    def __init__(self, resamples: int, seed: int, every_statistic: bool) -> None:
        self.resamples, self.seed = resamples, seed
        self.every_statistic, self.compared = every_statistic, SIDES if every_statistic else ()
        self._samples: dict[tuple[str, str], tuple[dict[str, float], dict[str, Array]]] = {}

    def measured(self, sides: Sides) -> tuple[dict[str, float], dict[str, Array]]:
        """Return the statistics of ID against OOD scores, and their bootstrap samples."""
        names = (sides[0].file, sides[1].file)
        if names not in self._samples:
            populations = [cell.noun.scores[np.argsort(cell.noun.example_ids)] for cell in sides]
            values = {name: getattr(estimators, name)(*populations) for name in estimators.STATISTICS}
            samples = rank_intervals.detection_samples(*populations, resamples=self.resamples, seed=self.seed)
            self._samples[names] = values, samples
        return self._samples[names]

    def auroc(self, sides: Sides) -> tuple[float, Array]:
        values, samples = self.measured(sides)
        return values["auroc"], samples["auroc"]

    @staticmethod
    def interval(value: float, samples: Array, sides: Sequence[tuple[Cell, ...]], method: str = SCORE) -> Interval:
        """Return the interval of a number of several OOD sets, which share the ID images."""
        normal, anomalous = ({cell.file: len(cell.noun.scores) for cell in cells} for cells in zip(*sides, strict=True))
        drawn_from = (max(normal.values()), sum(anomalous.values()))
        return from_samples(value, samples, drawn_from, method)

    def clean(self, one: _Set) -> list[MetricRow]:
        return list(self._statistics(one.clean, "clean", one.clean[1], one.ood))

    def attacked(self, one: _Set) -> list[MetricRow]:
        """Return the rows of one OOD set under one attack."""
        cell, examples = one.attacked[1], f"{one.ood}/{one.attacked[1].attack}"
        rows = list(self._statistics(one.sides["both"], "both", cell, examples))
        for side in SIDES:
            sides = one.sides[side]
            rows.append(_row(f"auroc_{side}", self.interval(*self.auroc(sides), [sides]), cell, examples, sides))
        for side in self.compared:
            ((value, samples, _, files),) = self._less([one], side)
            less = self.interval(value, samples, [one.clean], SIGNED)
            rows.append(_row(f"auroc_{side}_less_both", less, cell, examples, files, DIFFERENCE))
        return rows

    def _statistics(self, sides: Sides, state: str, cell: Cell, examples: str) -> Iterator[MetricRow]:
        values, samples = self.measured(sides)
        for name in values if self.every_statistic else ["auroc"]:
            unit = "fraction" if name in FRACTIONS else ""
            interval = self.interval(values[name], samples[name], [sides])
            one = _row(f"{name}_{state}", interval, cell, examples, sides, unit)
            counts = [len(side.noun.scores) for side in sides]
            yield replace(one, base_rate=counts[name != "aupr_id"] / sum(counts))

    def mean_clean(self, sets: list[_Set]) -> MetricRow:
        return self._mean("auroc_clean", [one.clean for one in sets], sets[0].clean[1], MEAN)

    def mean_attacked(self, sets: list[_Set]) -> list[MetricRow]:
        """Return the mean AUROC over the OOD sets, for each side that may be attacked."""
        cell = sets[0].attacked[1]
        examples = f"{MEAN}/{cell.attack}"
        means = [
            self._mean(f"auroc_{each}", [one.sides[each] for one in sets], cell, examples) for each in (*SIDES, "both")
        ]
        less = (self._mean_of(f"auroc_{side}_less_both", self._less(sets, side), examples) for side in self.compared)
        return [*means, *less]

    def _less(self, sets: list[_Set], side: str) -> list[Difference]:
        """Return per OOD set the AUROC with one side attacked minus that with both."""
        differences: list[Difference] = []
        for one in sets:
            both, alone = self.auroc(one.sides["both"]), self.auroc(one.sides[side])
            files = (*one.sides[side], *one.attacked)
            differences.append((alone[0] - both[0], alone[1] - both[1], one.attacked[1], files))
        return differences

    def _mean(self, metric: str, sides: list[Sides], cell: Cell, examples: str) -> MetricRow:
        # The ID rows are resampled alike for every set, as they are the same inputs.
        aurocs = [self.auroc(each) for each in sides]
        value, samples = float(np.mean([one[0] for one in aurocs])), np.mean([one[1] for one in aurocs], axis=0)
        return _row(
            metric, self.interval(value, samples, sides), cell, examples, [part for each in sides for part in each]
        )

    def differences(self, metric: str, first: list[_Set], second: list[_Set], other: str) -> Iterator[MetricRow]:
        """Yield first minus second for every OOD set that both have, and their mean where both have all the same;
        `other` is what the second has instead.
        """
        theirs = {one.ood: one for one in second}
        differences: list[Difference] = []
        for one in first:
            if one.ood not in theirs:
                continue
            pair = [(each.clean if metric == "auroc_clean" else each.attacked) for each in (one, theirs[one.ood])]
            (value, samples), (less, less_samples) = map(self.auroc, pair)
            cell = pair[0][1]
            examples = f"{one.ood}/{cell.attack}" if cell.attack else one.ood
            files = (*pair[0], *pair[1])
            differences.append((value - less, samples - less_samples, cell, files))
            interval = self.interval(value - less, samples - less_samples, [pair[0]], SIGNED)
            yield _row(f"{metric}_difference", interval, cell, f"{examples} less {other}", files, DIFFERENCE)
        if len(differences) == len(first) == len(second):
            cell = differences[0][2]
            examples = f"{MEAN}/{cell.attack}" if cell.attack else MEAN
            yield self._mean_of(f"{metric}_difference", differences, f"{examples} less {other}")

    def _mean_of(self, metric: str, differences: list[Difference], examples: str) -> MetricRow:
        """Return the mean over sets of differences, drawn together: the ID rows of all sets are the same inputs."""
        value, samples = (
            float(np.mean([each[0] for each in differences])),
            np.mean([each[1] for each in differences], axis=0),
        )
        interval = self.interval(value, samples, [each[3][:2] for each in differences], SIGNED)
        files = [file for each in differences for file in each[3]]
        return _row(metric, interval, differences[0][2], examples, files, DIFFERENCE)


def _row(
    metric: str, interval: Interval, cell: Cell, examples: str, files: list[Cell] | tuple[Cell, ...], unit: str = ""
) -> MetricRow:
    populations = {each.examples: len(each.noun.scores) for each in files}
    entry, n = f"{cell.entry}+{cell.detector}", sum(populations.values())
    return row(metric, interval, cell=cell, entry=entry, examples=examples, n=n, files=files, unit=unit)
