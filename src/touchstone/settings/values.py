"""Single values of settings: read as their type requires, or refused with a reason."""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Iterator
from typing import Any

from touchstone.digests import DIGEST
from touchstone.messages import LONGEST_WORD, nearest
from touchstone.settings.files import Place
from touchstone.settings.limits import largest
from touchstone.signatures import Type, fold, within

MEANT = {"gpu": "cuda"}  # what people write: the word for it
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = LONGEST_WORD


def words(value: Any) -> Iterator[str]:
    """Yield every word in a setting, however deep."""
    if isinstance(value, dict):
        for item in value.values():
            yield from words(item)
    elif isinstance(value, list):
        for item in value:
            yield from words(item)
    elif isinstance(value, str):
        yield value


def read(path: Place, value: Any, kind: Type) -> tuple[Any, str]:
    """Return a value, read as its type requires, and what is wrong with it ("" if nothing is).

    Args:
        path: the keys that lead to the value; the last one that is no index decides the ceiling of a number.
        value: as YAML gives it.
        kind: a type that is neither a list nor nested.
    """
    match kind.base:
        case "int" | "float":
            value = _number(value) if kind.base == "float" else value
            return value, _out_of_range(path, value, kind)
        case "mapping":
            if isinstance(value, dict) and all(isinstance(each, bool | int | float | str) for each in value.values()):
                return {key: _arithmetic(each) for key, each in value.items()}, ""
            return value, f"expected {kind}, got {shown(value)}"
        case "word":
            right = value in kind.words
        case "digest":
            right = isinstance(value, str) and DIGEST.fullmatch(value) is not None
        case _:
            right = isinstance(value, {"bool": bool, "str": str}[kind.base])
    return value, "" if right else f"expected {kind}, got {shown(value)}.{_meant(value, kind.words)}".rstrip(".")


def _meant(value: Any, words: tuple[str, ...]) -> str:
    """Return which of some words is meant; "" if none is close."""
    return nearest(MEANT.get(str(value).lower(), value) if "cuda" in words else value, words)


def _out_of_range(path: Place, value: Any, kind: Type) -> str:
    """Return what is wrong with a number: its type, its bounds or the general limit; "" if nothing is."""
    ceiling = largest(next(name for name in reversed(path) if not name.isdecimal()))
    expected = int if kind.base == "int" else float
    right = isinstance(value, expected) and not isinstance(value, bool) and abs(value) <= ceiling
    if right and (kind.bounds is None or within(value, kind.bounds)):
        return ""
    if kind.bounds is None:
        return f"expected {kind}, from {-ceiling:,} to {ceiling:,}, got {shown(value)}"
    most = f", at most {ceiling:,}" if kind.bounds.le is None else ""
    return f"expected {kind}{most}, got {shown(value)}"


def _arithmetic(value: Any) -> Any:
    """Return the number of a text such as "8/255"; any other value as it is, so that a whole number stays one."""
    return _number(value) if isinstance(value, str) else value


def _number(value: Any) -> Any:
    """Return a number, or arithmetic such as "8/255", as a float; anything else as it is."""
    if isinstance(value, str) and len(value) <= LONGEST_WORD:
        try:
            value = fold(value)
        except ValueError:
            return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return float(value)
    return value


def shown(value: Any) -> str:
    """Return a value as messages show it; long ones are shortened."""
    if isinstance(value, float):
        text = f"{value:g}"
        return (
            f"{text}.0" if text.lstrip("-").isdigit() else text
        )  # a float is no whole number, even if it looks like one
    if isinstance(value, str):
        return f'"{value[:LONGEST_WORD]}{"..." if len(value) > LONGEST_WORD else ""}"'
    return _repr.repr(value)
