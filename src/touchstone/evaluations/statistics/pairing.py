"""Which network's numbers are subtracted from another's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from touchstone.records.nouns import Cell

Thing = TypeVar("Thing")


def partner(seeds: Mapping[int | None, Thing], seed: int | None) -> Thing | None:
    """Return what belongs to the same seed, or the only one there is; None if there are several, and none of this seed.

    Of several networks none is subtracted twice: the differences would vary less than those of other networks.

    Args:
        seeds: by the seed of a network; not empty.
        seed: of the network that asks for a partner.
    """
    return next(iter(seeds.values())) if len(seeds) == 1 else seeds.get(seed)


def require_outputs(names: Iterable[str], cells: Iterable[Cell]) -> None:
    """Refuse to compare with a classifier that was not measured.

    Raises:
        ValueError: no cell is of one of the names.
    """
    if missing := sorted(set(names) - {cell.entry for cell in cells}):
        raise ValueError(f"no outputs of {missing[0]}")
