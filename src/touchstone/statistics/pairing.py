"""Which network's numbers are subtracted from another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from touchstone.records.nouns import Cell

Thing = TypeVar("Thing")


def partner(seeds: Mapping[int | None, Thing], seed: int | None) -> Thing:
    """Return what belongs to the same seed, or to the first.

    Args:
        seeds: by the seed of a network; not empty.
        seed: of the network that asks for a partner.
    """
    return seeds.get(seed, seeds[min(seeds, key=str)])


def require_outputs(names: Iterable[str], cells: Iterable[Cell]) -> None:
    """Refuse to compare with a classifier that was not measured.

    Raises:
        ValueError: no cell is of one of the names.
    """
    if missing := sorted(set(names) - {cell.entry for cell in cells}):
        raise ValueError(f"no outputs of {missing[0]}")
