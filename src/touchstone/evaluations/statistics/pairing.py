"""Which network's numbers are subtracted from another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from touchstone.records.nouns import Cell

Thing = TypeVar("Thing")


def partner(seeds: Mapping[int | None, Thing], seed: int | None) -> Thing | None:
    """Return what belongs to the same seed, or the only one there is; None if there are several, and none of this seed.

    Of several networks none is subtracted twice: the differences would vary less than those of other networks.

    Args:
        seeds: by the seed of a network.
        seed: of the network that asks for a partner.
    """
    return next(iter(seeds.values())) if len(seeds) == 1 else seeds.get(seed)


def partners(cell: Cell, names: Iterable[str], cells: Sequence[Cell]) -> list[Cell]:
    """Return the partners of a cell: of each name, other than its own, the cell whose numbers are subtracted.

    Args:
        cell: of one network.
        names: of the networks to compare with.
        cells: of these and other networks, on the same images.
    """
    found = []
    for name in dict.fromkeys(names):
        seeds = {other.seed: other for other in cells if other.entry == name}
        if name != cell.entry and (other := partner(seeds, cell.seed)):
            found.append(other)
    return found


def require_outputs(names: Iterable[str], cells: Iterable[Cell]) -> None:
    """Refuse to compare with a classifier that was not measured.

    Raises:
        ValueError: no cell is of one of the names.
    """
    if missing := sorted(set(names) - {cell.entry for cell in cells}):
        raise ValueError(f"no outputs of {missing[0]}")
