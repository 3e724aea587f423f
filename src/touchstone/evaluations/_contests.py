"""Pairs of score sets (in-distribution, anomalous) that detection statistics compare."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.rows import attacked_outputs, clean_outputs, grouped, only, rows_of
from touchstone.evaluations.statistics.threats import network
from touchstone.records.nouns import Cell

FRACTIONS = ("fpr95_id", "fpr95_ood", "detection_error")  # statistics that are shares of inputs; the others are areas
FEWEST = 10  # successful attacks below which a statistic of them is noise


@dataclass(frozen=True)
class Contest:
    """One detector's scores of in-distribution rows and of anomalous rows.

    Attributes:
        suffix: of the metric: "_successes" if only successful attacks count.
        keep: the example ids of the anomalous rows that count; None for all.
        sources: the other artefacts that say which rows count.
    """

    normal: Cell
    anomalous: Cell
    suffix: str = ""  # of the metric: "_successes" where only successful attacks count
    keep: Array | None = field(default=None, compare=False)  # example ids
    sources: tuple[Cell, ...] = ()  # what else says which rows count

    @property
    def scores(self) -> tuple[Array, Array]:
        """In-distribution and anomalous scores, each in the order of their ids: the order of rows has no effect."""
        return by_id(self.normal), by_id(self.anomalous)

    @property
    def counted(self) -> Array | None:
        """Which of the anomalous scores count, (N,) bool; None for all."""
        return None if self.keep is None else np.isin(np.sort(self.anomalous.noun.example_ids), self.keep)

    @property
    def paired(self) -> bool:
        """Whether anomalous row i is the attacked version of in-distribution row i."""
        return are_pairs(self.normal, self.anomalous)

    @property
    def sizes(self) -> tuple[int, int]:
        """How many in-distribution and anomalous rows count."""
        anomalous = self.anomalous.noun.example_ids if self.keep is None else self.keep
        return len(self.normal.noun.example_ids), len(anomalous)

    @property
    def n(self) -> int:
        """How many rows count."""
        return sum(self.sizes)

    @property
    def files(self) -> list[Cell]:
        """The artefacts that the numbers come from."""
        return [self.normal, self.anomalous, *self.sources]

    @property
    def place(self) -> tuple[str, ...]:
        """What is told apart, whichever detector does it: two contests with the same place can be paired."""
        cell = self.anomalous
        return network(cell), cell.examples, cell.victim, cell.attack, self.suffix

    @property
    def entry(self) -> str:
        """The classifier and the detector, as metric rows name them."""
        return f"{self.normal.entry}+{self.normal.detector}"


def contests(scores: Iterable[Cell], outputs: Iterable[Cell] | None, id_examples: str) -> Iterator[Contest]:
    """Yield, per classifier seed and detector, a contest of each anomalous set against `id_examples`.

    Translated sets take no part. Attacked versions of `id_examples` come twice: all attempts, and the successes only,
    if there are at least 10. A success is an image that is classified correctly when clean and wrongly when attacked.

    Args:
        scores: of each classifier and detector, clean and attacked.
        outputs: of the same classifiers, which say which attacks succeeded; None skips the successes.
        id_examples: the in-distribution set.

    Raises:
        ValueError: the scores of `id_examples` or the outputs of an attack are missing.
    """
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        normal = only((cell for cell in group if is_id(cell, id_examples)), f"scores of {id_examples}")
        for cell in group:
            if cell is normal or cell.translator:
                continue
            yield Contest(normal, cell)
            if outputs is not None and cell.attack and cell.examples == id_examples:
                beaten, sources = successes(cell, outputs)
                if len(beaten) >= FEWEST:
                    yield Contest(normal, cell, "_successes", beaten, sources)


def is_id(cell: Cell, id_examples: str) -> bool:
    """Return whether the cell is about the clean in-distribution set."""
    return cell.examples == id_examples and not cell.attack and not cell.translator


def successes(cell: Cell, outputs: Iterable[Cell]) -> tuple[Array, tuple[Cell, Cell]]:
    """Return the ids of the rows classified correctly when clean and wrongly when attacked, and both sets of outputs."""
    outputs = list(outputs)
    clean = clean_outputs(outputs, cell)
    attacked = attacked_outputs(outputs, cell)
    ids = cell.noun.example_ids
    right = [
        correct(out.noun.predictions, out.noun.labels)[rows_of(out.noun.example_ids, ids, out.file)]
        for out in (clean, attacked)
    ]
    return np.sort(ids[right[0] & ~right[1]]), (clean, attacked)


def are_pairs(clean: Cell, other: Cell) -> bool:
    """Return whether two cells are about one set of images, such as its clean and its attacked version.

    A corrupted set keeps the ids of its clean images but has a name of its own, so the two are no pairs. They are then
    resampled apart, which is rather too wide if scores before and after the corruption agree.
    """
    same_set = clean.examples == other.examples
    return same_set and np.array_equal(np.sort(clean.noun.example_ids), np.sort(other.noun.example_ids))


def by_id(cell: Cell) -> Array:
    """Return the cell's scores in the order of their ids, (N,)."""
    return np.asarray(cell.noun.scores[np.argsort(cell.noun.example_ids)])
