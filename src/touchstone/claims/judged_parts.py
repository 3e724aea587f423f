"""The numbers of a criterion, each with its word, and whether its attack was stuck."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from touchstone.claims.criteria import Chosen, Condition, Criterion, Role
from touchstone.claims.measurements import EQUAL, Measured, Missing, Quantity, quantities
from touchstone.claims.verdicts import FEWEST_SEEDS, Part, is_difference, is_raised, slack, status, weakness
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE


def judged_parts(
    conditions: Iterable[Condition], criterion: Criterion, chosen: Chosen, measured: Measured
) -> tuple[tuple[Part, ...], list[str]]:
    """Return the numbers with their words, of each seed's the weakest, and the rows that are missing."""
    conditions = tuple(conditions)
    parts: list[Part] = []
    missing: list[str] = []
    for condition in conditions:
        beside = {part.quantity.row.evaluation for part in parts}
        try:
            for part in _weakest_parts(condition, criterion, chosen, measured, beside):
                parts.append(part)  # noqa: PERF402 - one by one, so that those before a missing one count
        except Missing as error:
            if not condition.optional:
                missing.append(str(error))
    if conditions and not parts and not missing:
        missing.append(", ".join(condition.name for condition in conditions))
    return tuple(parts), missing


def _weakest_parts(
    condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured, beside: Collection[str]
) -> Iterator[Part]:
    """Yield, for each thing that a condition judges, the number of its weakest seed."""
    for group in quantities(condition, criterion, chosen, measured, beside):
        stuck = stuck_share(condition, criterion, {**chosen, **group[0].names}, measured)
        seeds = tuple(sorted({seed for one in group for seed in one.seeds}))
        judged = []
        for one in group:
            word = status(condition, one if stuck is None else one_sided(condition, one))
            few = word in (HOLDS, FAILS) and condition.comparison != EQUAL and 0 < len(seeds) < FEWEST_SEEDS
            judged.append(Part(condition, one, INCONCLUSIVE if few else word, seeds, few, stuck))
        yield min(judged, key=weakness)


def one_sided(condition: Condition, one: Quantity) -> Quantity:
    """Return the number of a stuck attack without an end on the side to which a better attack would move it.

    A difference of two numbers keeps both ends: it is judged under these attacks.
    """
    if is_difference(one):
        return one
    return one._replace(high=math.inf) if is_raised(condition) else one._replace(low=-math.inf)


def stuck_share(condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured) -> float | None:
    """Return on which share of inputs an attack behind a number met no gradient; None if on few enough.

    Args:
        condition: on the number.
        criterion: of the condition.
        chosen: who plays the roles. The number is of one thing, so a role of several has one entry, unless it is averaged.
        measured: the rows.
    """
    # No number is judged here, so every set counts by itself, and their mean is taken.
    each_set = replace(
        criterion,
        roles={name: Role(role.section, "each") for name, role in criterion.roles.items()},
        together=tuple(role for role in criterion.together if isinstance(chosen[role], list)),
    )
    shares = [_too_many(side, each_set, chosen, measured) for side in condition.stuck]
    return max((share for share in shares if share is not None), default=None)


def _too_many(side: Condition, each_set: Criterion, chosen: Chosen, measured: Measured) -> float | None:
    """Return the share of inputs at which an attack met no gradient, of the worst thing; None if it is within bounds."""
    try:
        shares = [one for group in quantities(side, each_set, chosen, measured) for one in group]
    except Missing:  # an attack that follows no gradient reports no share
        return None
    by_thing: dict[str, list[float]] = {}
    for one in shares:
        by_thing.setdefault(one.row.entry, []).append(one.value)
    worst = max(math.fsum(values) / len(values) for values in by_thing.values())
    return worst if slack(side, shares[0]._replace(value=worst)) < 0 else None
