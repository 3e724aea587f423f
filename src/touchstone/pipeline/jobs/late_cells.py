"""Cells that read their noun when it is needed, so that an evaluation of many sets has one in memory at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from touchstone.records.nouns import Cell


class LateCell(Cell):
    """A cell whose noun is read at each access, and kept only by the caller. Make it with `late_cell`."""

    def __getattr__(self, name: str) -> Any:
        """Return the noun, the only attribute that is missing."""
        if name != "noun":
            raise AttributeError(name)
        return vars(self)["read"]()


def late_cell(read: Callable[[], Any], **facts: Any) -> Cell:
    """Return a cell.

    Args:
        read: Returns its noun.
        facts: Its other fields.
    """
    cell = LateCell(noun=None, **facts)
    vars(cell)["read"] = read
    del vars(cell)["noun"]
    return cell
