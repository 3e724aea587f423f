"""Who is told from whom: the in-distribution and the anomalous scores that a detection statistic compares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from touchstone.records.nouns import Cell
from touchstone.statistics.estimators import Array, correct
from touchstone.statistics.rows import clean_outputs, grouped, only, rows_of
from touchstone.statistics.threats import network

FEWEST = 10  # successful attacks below which a statistic of them is noise


@dataclass(frozen=True)
class Contest:
    """One detector's scores of ID rows and of what counts as anomalous, all of it or the rows with the ids in `keep`."""

    known: Cell
    anomalous: Cell
    suffix: str = ""  # of the metric: "_successes" where only successful attacks count
    keep: Array | None = field(default=None, compare=False)  # example ids
    sources: tuple[Cell, ...] = ()  # what else says which rows count

    @property
    def scores(self) -> tuple[Array, Array]:
        """ID and anomalous scores, each in the order of their ids, so that nothing depends on the order of rows."""
        return by_id(self.known), by_id(self.anomalous, self.keep)

    @property
    def files(self) -> list[Cell]:
        """What the numbers come from."""
        return [self.known, self.anomalous, *self.sources]

    @property
    def place(self) -> tuple[str, ...]:
        """What is told apart, whichever detector does it."""
        cell = self.anomalous
        return network(cell), cell.examples, cell.victim, cell.attack, self.suffix

    @property
    def entry(self) -> str:
        """The classifier and the detector, as metrics rows name them."""
        return f"{self.known.entry}+{self.known.detector}"


def contests(scores: Iterable[Cell], outputs: Iterable[Cell] | None, id_examples: str) -> Iterator[Contest]:
    """Yield, per classifier seed and detector, every anomalous set against `id_examples`; translated sets are no party.

    Attacked versions of `id_examples` come twice: all attempts, and the images that were right when clean and are wrong
    when attacked, where there are 10 or more; without outputs only the former. ValueError where some are missing.
    """
    for group in grouped(scores, lambda cell: (network(cell), cell.detector)).values():
        known = only((cell for cell in group if is_id(cell, id_examples)), f"scores of {id_examples}")
        for cell in group:
            if cell is known or cell.translator:
                continue
            yield Contest(known, cell)
            if outputs is not None and cell.attack and cell.examples == id_examples:
                beaten, sources = successes(cell, outputs)
                if len(beaten) >= FEWEST:
                    yield Contest(known, cell, "_successes", beaten, sources)


def is_id(cell: Cell, id_examples: str) -> bool:
    """Return whether the cell is about the clean in-distribution set."""
    return cell.examples == id_examples and not cell.attack and not cell.translator


def successes(cell: Cell, outputs: Iterable[Cell]) -> tuple[Array, tuple[Cell, Cell]]:
    """Return the ids of the attacked rows that the classifier got right when clean and wrong when attacked."""
    outputs = list(outputs)
    clean = clean_outputs(outputs, cell)
    own = [out for out in outputs if network(out) == network(cell) and out.examples == cell.examples]
    attacked = only(
        (out for out in own if (out.attack, out.victim, out.translator) == (cell.attack, cell.victim, "")),
        f"outputs of {network(cell)} on {cell.examples} under {cell.attack} of {cell.victim}",
    )
    ids = cell.noun.example_ids
    right = [
        correct(out.noun.predictions, out.noun.labels)[rows_of(out.noun.example_ids, ids, out.file)]
        for out in (clean, attacked)
    ]
    return np.sort(ids[right[0] & ~right[1]]), (clean, attacked)


def by_id(cell: Cell, keep: Array | None = None) -> Array:
    """Return the cell's scores in the order of their ids, all or those of the ids in `keep`."""
    order = np.argsort(cell.noun.example_ids)
    kept = order if keep is None else order[np.isin(cell.noun.example_ids[order], keep)]
    return np.asarray(cell.noun.scores[kept])
