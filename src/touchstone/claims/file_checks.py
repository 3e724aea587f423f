"""Checks of what a claims.yaml writes; each says where a mistake is, and what is allowed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from string import Formatter
from typing import Any

from touchstone.messages import nearest

Place = tuple[str, ...]
FIELD = re.compile(r"[a-z][a-z0-9_]*|[0-9]+")  # what braces in a text may hold


class ClaimError(ValueError):
    """A mistake in a claims.yaml: the keys that lead to it, and what is wrong."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{'.'.join(place)}: {message}")
        self.place, self.message = place, message


def check_block(place: Place, block: Any, allowed: Iterable[str] = (), required: Iterable[str] = ()) -> None:
    """Refuse what is no block, keys that are not allowed, and a block without a required key."""
    if not isinstance(block, dict):
        raise ClaimError(place, "expected a block of keys")
    if allowed:
        check_names(place, block, allowed, "the key")
    for key in required:
        if key not in block:
            raise ClaimError(place, f"{key} is missing; add it")


def check_names(place: Place, names: Iterable[Any], allowed: Iterable[str], what: str = "") -> None:
    """Refuse names that are not allowed.

    Args:
        place: of the names.
        names: to check.
        allowed: those that may stand there.
        what: the names are, such as "the key".

    Raises:
        ClaimError: one is not allowed.
    """
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            words = [str(each) for each in allowed]
            listed = ", ".join(words) or "nothing"
            raise ClaimError(place, f"{what} {name} is not among {listed}.{nearest(str(name), words)}".lstrip())


def text(place: Place, key: str, value: Any) -> str:
    """Return a text whose braces, if it has any, hold the name of a role or the number of a test, and nothing else.

    A sentence, `says`, may write {0:each} for the numbers of each thing that a test judges.
    """
    if not isinstance(value, str | int | float):
        raise ClaimError((*place, key), f"expected text, got {value!r}")
    try:
        fields = [field for _, *field in Formatter().parse(str(value)) if field[0] is not None]
    except ValueError as error:
        raise ClaimError((*place, key), f"{error}; a role is written {{role}}") from None
    for name, form, conversion in fields:
        if form not in (("", "each") if key == "says" else ("",)) or conversion or not FIELD.fullmatch(str(name)):
            raise ClaimError((*place, key), f"braces hold one name, such as {{net}} or {{0}}, got {value}")
    return str(value)


def number(place: Place, value: Any) -> float:
    """Return a number as a float, which is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimError(place, f"expected a number, got {value!r}")
    if not abs(value) <= sys.float_info.max:
        raise ClaimError(place, f"expected a finite number, got {value}")
    return float(value)


def size(place: Place, value: Any) -> float:
    """Return a number that is not negative."""
    if (read := number(place, value)) < 0:
        raise ClaimError(place, f"expected a number of at least 0, got {value}")
    return read


def truth(place: Place, value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise ClaimError(place, f"expected true or false, got {value!r}")
    return value
