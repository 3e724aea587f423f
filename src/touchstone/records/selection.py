"""Some rows of a noun that has one row per image."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

Noun = TypeVar("Noun")


def select_rows(noun: Noun, rows: Any) -> Noun:
    """Return some rows of a noun.

    Args:
        noun: a dataclass all of whose arrays, also those in dicts, have one row per image.
        rows: an index of NumPy's that keeps the axis of rows: places, a mask or a slice.

    Returns:
        A noun of the same type, with everything that is not an array as it was.
    """
    changed = {field.name: _selected(getattr(noun, field.name), rows) for field in fields(noun)}  # type: ignore[arg-type]
    return replace(noun, **changed)  # type: ignore[type-var]


def _selected(value: Any, rows: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value[rows]
    return {name: _selected(each, rows) for name, each in value.items()} if isinstance(value, dict) else value
