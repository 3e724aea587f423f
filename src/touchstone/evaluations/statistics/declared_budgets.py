"""What an attack declares that it may change, read from its settings: norm, eps and range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

DEFAULT_NORM = "linf"  # of attacks without a setting `norm`


class Budget(NamedTuple):
    """A ball around the clean image: the norm of the change, and its radius in pixel units."""

    norm: str
    eps: float


def declared(settings: Mapping[str, Any]) -> tuple[Budget, ...]:
    """Return the budgets that an attack declares; an attacked image must lie within at least one.

    An attack without an eps that is made of others declares what these declare, its parts, however deep they are.

    Args:
        settings: of the attack: use, eps, norm, attacks, ...

    Returns:
        For each norm the budget of the widest part. None at all if any part has no eps: it may change any pixel.
    """
    widest: dict[str, Budget] = {}
    for part in _parts(settings):
        if part.get("eps") is None:
            return ()
        norm, eps = str(part.get("norm", DEFAULT_NORM)), float(part["eps"])
        widest[norm] = Budget(norm, max(eps, widest[norm].eps if norm in widest else eps))
    return tuple(widest.values())


def single(settings: Mapping[str, Any]) -> Budget | None:
    """Return the one budget that an attack declares; None if there is none, or one for each of several norms.

    Args:
        settings: of the attack.
    """
    budgets = declared(settings)
    return budgets[0] if len(budgets) == 1 else None


def stays_in_range(settings: Mapping[str, Any]) -> bool:
    """Return whether an attack declares that its float images are in [0, 1], as all do without `clip: false`.

    Args:
        settings: of the attack.
    """
    return all(part.get("clip", True) for part in _parts(settings))


def is_nested(settings: Mapping[str, Any]) -> bool:
    """Return whether an attack has no eps of its own and is made of other attacks.

    Args:
        settings: of the attack.
    """
    return settings.get("eps") is None and bool(settings.get("attacks"))


def _parts(settings: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if not is_nested(settings):
        return [settings]
    return [part for attack in settings["attacks"] for part in _parts(attack)]
