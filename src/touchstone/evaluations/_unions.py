"""All attacks of one budget on a defence, combined: what the worst of them does to each image."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from touchstone.evaluations.statistics.rows import grouped, place
from touchstone.evaluations.statistics.threats import budget
from touchstone.records.metric_rows import ADAPTIVE, Threat, stated
from touchstone.records.nouns import Cell


class Union(NamedTuple):
    """Attacks of one norm and eps on one defence and one set.

    Attributes:
        place: SET/worst, or one like SET/worst_linf@0.1 if there are several budgets.
        threat: an attacker who knows the defence and also tries attacks that ignore it.
        attacks: all of them.
        known: those that know the whole defence, at least one.
    """

    place: str
    threat: Threat
    attacks: list[Cell]
    known: list[Cell]


def unions(cells: Iterable[Cell], knows: Callable[[Cell], bool]) -> list[Union]:
    """Return the union of each budget under which at least two attacks were made, one of them on the whole defence.

    Args:
        cells: of one defence on one set, attacked or not. What a translator has changed is no attack.
        knows: whether an attack was made on the whole defence.
    """
    whole = {
        (norm, eps): (attacks, known)
        for (norm, eps), attacks in grouped((c for c in cells if c.attack and not c.translator), budget).items()
        if eps is not None and len(attacks) > 1 and (known := [cell for cell in attacks if knows(cell)])
    }
    found = []
    for (norm, eps), (attacks, known) in whole.items():
        name = "worst" if len(whole) == 1 else f"worst_{norm}@{eps:g}"
        names = tuple(sorted(place(cell).removeprefix(f"{cell.examples}/") for cell in attacks))
        threat = Threat(ADAPTIVE, worst_of=names, norm=norm, budget=(("eps", stated(eps)),))
        found.append(Union(f"{known[0].examples}/{name}", threat, attacks, known))
    return found
