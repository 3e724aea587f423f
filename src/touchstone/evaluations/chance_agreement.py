"""Whether classifiers that the same images fool agree on the wrong class more often than by chance."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.pairing import partners, require_outputs
from touchstone.evaluations.statistics.rows import grouped, only, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED, SIGNED_DIFFERENCE
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("agreement_beyond_chance", "agreement_beyond_chance_minus_*", "chance_agreement")
UNIT = "difference of fractions"


def chance_agreement(
    outputs: list[Cell],
    *,
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure by how much classifiers agree on wrong classes beyond what their favourite wrong classes explain.

    Of the images of class y that both classifiers get wrong, let a_k and b_k be the shares that the first and the second
    take for class k. Two classifiers that drew the wrong classes of these images independently from these shares would
    agree with the probability

        c(y) = sum over k of a_k b_k

    Chance is the mean of c(y) over the images that both get wrong. So classes that look alike, which every classifier takes
    for each other, raise chance and not the agreement beyond it.

    The shares are those of the same images, so part of their agreement counts as chance: of a class with n such images the
    agreement beyond chance is too near 0 by the factor 1 - 1/n, which is 1 % with 100 images.

    Args:
        outputs: of each classifier seed on sets that attacked other classifiers (transfer), and of the attacked
            classifiers on the same sets.
        against: classifiers whose number is subtracted from that of the others on the same set. It is that of the same
            seed, or of the only one.

    Returns:
        Rows per classifier and attacked set, then means over seeds, with bootstrap intervals. No row if there is no image
        that both get wrong. Metrics:

        - agreement_beyond_chance: the share of these images that both take for the same class, minus chance.
        - agreement_beyond_chance_minus_CLASSIFIER: minus that of a classifier in `against`, paired by image.
        - chance_agreement: chance.

    Raises:
        ValueError: the attacked classifier's own outputs are missing, or a classifier in `against` has none.

    References:
        Goodfellow et al. 2015, section 8, states agreement without chance; docs/papers/fgsm.md.
    """
    require_outputs(against, outputs)
    attacked = [cell for cell in outputs if cell.attack and not cell.translator]
    sets = grouped(attacked, lambda cell: (cell.examples, cell.attack, cell.victim))
    rows: list[MetricRow] = []
    for (_, _, victim), cells in sets.items():
        fooled = only((cell for cell in cells if network(cell) == victim), f"outputs of {victim} on what attacked it")
        others = [_Pair(cell, fooled, resamples, bootstrap_seed) for cell in cells if cell is not fooled]
        for pair in others:
            rows += pair.rows() if pair.count else []
            bases = {network(cell) for cell in partners(pair.cell, against, cells)}
            rows += pair.rows_against([other for other in others if network(other.cell) in bases])
    return with_means(rows)


class _Pair:
    """One classifier and the attacked one on the same images, in the order of their ids."""

    def __init__(self, cell: Cell, fooled: Cell, resamples: int, seed: int) -> None:
        self.cell, self.fooled = cell, fooled
        ids = np.sort(fooled.noun.example_ids)
        first, second = (one.noun.predictions[rows_of(one.noun.example_ids, ids, one.file)] for one in (cell, fooled))
        labels = fooled.noun.labels[rows_of(fooled.noun.example_ids, ids, fooled.file)]
        among = ~correct(first, labels) & ~correct(second, labels)
        self.images, self.count = len(ids), int(among.sum())
        if not self.count:
            return
        classes = cell.noun.logits.shape[1]
        columns = [_one_hot(values, count) for values, count in (
            (labels, classes), (labels * classes + first, classes**2), (labels * classes + second, classes**2),
        )]  # fmt: skip
        times = intervals.multiplicities(len(ids), resamples, seed) * among
        times[times.sum(1) == 0] = among  # a resample without any image that counts
        agree = (first == second).astype(np.float64)
        self.beyond, self.chance = _statistics(among[None].astype(np.float64), agree, *columns)
        self.beyond_samples, self.chance_samples = _statistics(times, agree, *columns)

    def rows(self) -> list[MetricRow]:
        """Return the rows of the pair itself."""
        found = (
            ("agreement_beyond_chance", self.beyond, self.beyond_samples, UNIT),
            ("chance_agreement", self.chance, self.chance_samples, "fraction"),
        )
        rows = []
        for metric, value, samples, unit in found:
            interval = self._interval(value, samples, SIGNED, self.count)
            files = [self.cell, self.fooled]
            rows.append(row(metric, interval, cell=self.cell, n=self.count, unit=unit, files=files))
        return rows

    def rows_against(self, bases: list[_Pair]) -> Iterator[MetricRow]:
        """Yield the rows of the differences to other classifiers on the same images."""
        for base in bases:
            if base.count and self.count:
                metric = f"agreement_beyond_chance_minus_{base.cell.entry}"
                value, samples = self.beyond - base.beyond, self.beyond_samples - base.beyond_samples
                count, files = min(self.count, base.count), [self.cell, base.cell, self.fooled]
                interval = self._interval(value, samples, SIGNED_DIFFERENCE, count)
                yield row(metric, interval, cell=self.cell, n=count, unit=UNIT, files=files)

    def _interval(self, value: Array, samples: Array, method: str, count: int) -> Interval:
        return intervals.from_samples(float(value[0]), samples, (self.images,), method, counted=count)


def _one_hot(values: Array, classes: int) -> Array:
    return np.eye(classes)[values]


def _statistics(times: Array, agree: Array, labels: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Return agreement minus chance, and chance, of images drawn `times` (R, N) often: (R,) each.

    The columns are the true class, (N, C), and each classifier's class within the true one, (N, C * C).
    """
    total = times.sum(1)
    of_class, of_first, of_second = (times @ column for column in (labels, first, second))
    together = (of_first * of_second).reshape(*of_class.shape, -1).sum(2)
    # truth * c(y) = (n_y / n) * sum_k (n_yk / n_y) (m_yk / n_y)
    chance = np.divide(together, of_class, out=np.zeros_like(of_class), where=of_class > 0).sum(1) / total
    return (times @ agree) / total - chance, chance
