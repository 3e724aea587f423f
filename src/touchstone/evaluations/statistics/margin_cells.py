"""The input margins of one network on one set: joined with its outputs, the smallest of several methods kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.rows import clean_outputs, grouped, rows_of
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_rows import WHITE_BOX, Threat
from touchstone.records.nouns import Cell

CERTIFIED = "certified_"  # prefix of the methods whose margins are lower bounds


@dataclass(frozen=True)
class KeptMargins:
    """The smallest margin of each input that any method found, and the network's logits, in the order of the ids.

    Attributes:
        cells: the upper bounds, by the name of their entry.
        margins: (N,) float64; +inf if no method found another class.
        by_method: (N,) for each of `cells`.
        right: which inputs are classified correctly, (N,) bool.
    """

    cells: list[Cell]  # upper bounds, by the name of their entry
    outputs: Cell
    ids: Array
    margins: Array  # float64; +inf where no method found another class
    by_method: list[Array]  # of each cell by itself
    logits: Array
    right: Array

    @property
    def entry(self) -> str:
        """The classifier."""
        return self.outputs.entry

    @property
    def seed(self) -> int | None:
        """The classifier's seed."""
        return self.outputs.seed

    @property
    def examples(self) -> str:
        """The set."""
        return self.outputs.examples

    @property
    def norm(self) -> str:
        """The norm of all margins."""
        return str(self.cells[0].noun.norm)

    @property
    def methods(self) -> list[str]:
        """The methods that found the margins, sorted."""
        return sorted({cell.noun.method for cell in self.cells})

    @property
    def threat(self) -> Threat:
        """What the attacker knew whose smallest perturbations these are."""
        return Threat(WHITE_BOX, how=f"least change of {' and '.join(self.methods)}", norm=self.norm)

    @property
    def predictions(self) -> Array:
        """The classes that the margins belong to."""
        return np.asarray(self.logits.argmax(axis=1))


def is_lower_bound(cell: Cell) -> bool:
    """Return whether the cell's margins are lower bounds; those of an attack are upper bounds."""
    return str(cell.noun.method).startswith(CERTIFIED)


def kept(margins: list[Cell], outputs: list[Cell]) -> list[KeptMargins]:
    """Return one KeptMargins per network, set and norm for which some method gave upper bounds.

    Raises:
        ValueError: margins and outputs disagree on a prediction, or two methods measured different inputs.
    """
    upper = sorted((cell for cell in margins if not is_lower_bound(cell)), key=lambda cell: cell.margin)
    groups = grouped(upper, lambda cell: (network(cell), cell.examples, cell.noun.norm))
    return [_joined(cells, clean_outputs(outputs, cells[0])) for cells in groups.values()]


def lower_bounds(group: KeptMargins, margins: list[Cell]) -> Iterator[tuple[Cell, Array]]:
    """Yield each lower bound on the margins of `group`, in the order of its ids.

    Raises:
        ValueError: a lower bound is above a margin that was found.
    """
    place = (network(group.outputs), group.examples, group.norm)
    for cell in margins:
        if is_lower_bound(cell) and (network(cell), cell.examples, cell.noun.norm) == place:
            bounds = _of(cell, group.outputs, group.ids)
            above = bounds > group.margins * (1 + 1e-4) + 1e-6
            if above.any():
                raise ValueError(f"{cell.file}: {int(above.sum())} lower bounds lie above a margin that was found")
            yield cell, np.minimum(bounds, group.margins)


def _joined(cells: list[Cell], clean: Cell) -> KeptMargins:
    ids = np.sort(cells[0].noun.example_ids)
    by_method = [_of(cell, clean, ids) for cell in cells]
    same = rows_of(clean.noun.example_ids, ids, clean.file)
    right = correct(clean.noun.predictions[same], clean.noun.labels[same])
    return KeptMargins(cells, clean, ids, np.minimum.reduce(by_method), by_method, clean.noun.logits[same], right)


def _of(cell: Cell, clean: Cell, ids: Array) -> Array:
    """Return the cell's margins in the order of `ids`; they must belong to the classes that the outputs predict."""
    order = rows_of(cell.noun.example_ids, ids, cell.file)
    same = rows_of(clean.noun.example_ids, ids, clean.file)
    if not np.array_equal(clean.noun.predictions[same], cell.noun.predictions[order]):
        raise ValueError(f"{cell.file} and {clean.file} predict differently: they are not of one network")
    return np.asarray(cell.noun.margins[order].astype(np.float64))
