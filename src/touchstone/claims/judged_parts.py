"""The numbers of a criterion, each with its word, whether its attack was stuck, and what bounds on the networks prove."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

from touchstone.claims.criteria import Chosen, Condition, Criterion, Role
from touchstone.claims.measurements import EQUAL, Measured, Missing, Quantity, quantities
from touchstone.claims.verdicts import (
    CONFIRMED,
    FEWEST_SEEDS,
    INCONCLUSIVE,
    NOT_CONFIRMED,
    Part,
    Stuck,
    ends_if_stuck,
    slack,
    status,
    weakness,
)


def judged_parts(
    conditions: Iterable[Condition], criterion: Criterion, chosen: Chosen, data: str, measured: Measured
) -> tuple[tuple[Part, ...], list[str]]:
    """Return the numbers with their words, of each seed's the weakest, and the rows that are missing."""
    conditions = tuple(conditions)
    parts: list[Part] = []
    missing: list[str] = []
    for condition in conditions:
        try:
            for part in _weakest_parts(condition, criterion, chosen, data, measured):
                parts.append(part)  # noqa: PERF402 - one by one, so that those before a missing one count
        except Missing as error:
            if not condition.optional:
                missing.append(str(error))
    if conditions and not parts and not missing:
        missing.append(", ".join(condition.name for condition in conditions))
    return tuple(parts), missing


def _weakest_parts(
    condition: Condition, criterion: Criterion, chosen: Chosen, data: str, measured: Measured
) -> Iterator[Part]:
    """Yield, for each thing that a condition judges, the number of its weakest seed."""
    bound = condition.bound(data)
    for group in quantities(condition, criterion, chosen, measured):
        stuck = _stuck(condition, criterion, {**chosen, **group[0].names}, data, measured)
        seeds = tuple(sorted({seed for one in group for seed in one.seeds}))
        judged = []
        for one in group:
            proved = _certified(condition, criterion, chosen, measured, one) if stuck and stuck.first else None
            ends = (one.low, one.high) if stuck is None else ends_if_stuck(one, stuck, proved)
            word = status(condition, bound, one._replace(low=ends[0], high=ends[1]))
            decides = word in (CONFIRMED, NOT_CONFIRMED) and condition.comparison != EQUAL
            few = decides and 0 < len(seeds) < FEWEST_SEEDS
            judged.append(Part(condition, bound, one, INCONCLUSIVE if few else word, seeds, few, stuck, proved))
        yield min(judged, key=weakness)


def _certified(
    condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured, attacked: Quantity
) -> Quantity | None:
    """Return what bounds prove about the number of an attack, on the same networks; None if they prove nothing."""
    if condition.certified is None:
        return None
    try:
        proved = [one for group in quantities(condition.certified, criterion, chosen, measured) for one in group]
    except Missing:  # the study computes no bounds
        return None
    alike = (one for one in proved if (one.names, one.seeds) == (attacked.names, attacked.seeds))
    return next(alike, None)


def _stuck(condition: Condition, criterion: Criterion, chosen: Chosen, data: str, measured: Measured) -> Stuck | None:
    """Return which attacks behind a number met no gradient on too many inputs; None if none did.

    Args:
        condition: on the number.
        criterion: of the condition.
        chosen: who plays the roles. The number is of one thing, so a role of several has one entry, unless it is averaged.
        data: the study's data.
        measured: the rows.
    """
    # No number is judged here, so every set counts by itself, and their mean is taken.
    each_set = replace(
        criterion,
        roles={name: Role(role.section, "each") for name, role in criterion.roles.items()},
        together=tuple(role for role in criterion.together if isinstance(chosen[role], list)),
    )
    sides = [_too_many(side, each_set, chosen, data, measured) for side in condition.stuck]
    shares = [share for share in sides if share is not None]
    if not shares:
        return None
    if len(sides) == 1:  # of a difference, that of both attacks
        return Stuck(shares[0])
    return Stuck(max(shares), first=sides[0] is not None, subtracted=sides[1] is not None)


def _too_many(side: Condition, each_set: Criterion, chosen: Chosen, data: str, measured: Measured) -> float | None:
    """Return the share of inputs at which an attack met no gradient, of the worst thing; None if it is within bounds."""
    try:
        shares = [one for group in quantities(side, each_set, chosen, measured) for one in group]
    except Missing:  # an attack that follows no gradient reports no share
        return None
    by_thing: dict[str, list[float]] = {}
    for one in shares:
        by_thing.setdefault(one.row.entry, []).append(one.value)
    worst = max(math.fsum(values) / len(values) for values in by_thing.values())
    return worst if slack(side, side.bound(data), shares[0]._replace(value=worst)) < 0 else None
