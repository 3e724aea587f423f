"""What a criterion found, as the sentence that its paper.yaml writes."""

from __future__ import annotations

from collections.abc import Iterable

from touchstone.claims.criteria import Condition, Criterion
from touchstone.claims.verdicts import (
    INCONCLUSIVE,
    Part,
    Verdict,
    direction,
    no_effect,
    number,
    required,
    slack,
)


def said(verdict: Verdict) -> str:
    """Return what a criterion found, as a sentence with its numbers; "" if nothing was measured.

    Without a sentence of its own, it is what was measured and every number. Of several things that a test judges, it is
    the one that is farthest from its bound, by its name.
    """
    criterion = verdict.claim
    if not isinstance(criterion, Criterion) or not verdict.parts:
        return ""
    if not criterion.says:
        numbers = "; ".join(f"{part.name} {number(part)}" for part in verdict.parts)
        return f"{criterion.setting}: {numbers}"
    in_order = [_number_of(test, verdict.parts) for test in criterion.tests]
    breaking = _number_of(criterion.breaks, verdict.parts) if criterion.breaks else ""
    return criterion.says.format(*in_order, breaks=breaking)


def undecided(verdict: Verdict) -> str:
    """Return why an inconclusive verdict decides neither way, with the number that leaves it open; "" for other words."""
    if verdict.word != INCONCLUSIVE or not verdict.parts:
        return ""
    part = verdict.parts[0]
    if part.notes:
        return f"{part.name}: {'; '.join(part.notes)}"
    if isinstance(verdict.claim, Criterion):
        bound = required(part)
        return f"the interval of {part.name} contains the bound ({bound})" if bound else ""
    if direction(part) != INCONCLUSIVE:
        return ""
    return f"the interval of {part.name} contains no effect ({no_effect(part):g})"


def farthest(condition: Condition, parts: Iterable[Part]) -> Part | None:
    """Return the number of a condition that meets its bound least; of numbers that break a claim, most.

    Its value counts and not its word, so that "at most" and "at least" hold for the other numbers, too.
    """
    own = [part for part in parts if part.condition is condition]
    return min(own, key=_met_by, default=None)


def _met_by(part: Part) -> float:
    met = slack(part.condition, part.bound, part.quantity)
    return -met if part.breaks else met


def _number_of(condition: Condition, parts: tuple[Part, ...]) -> str:
    part = farthest(condition, parts)
    if part is None:
        return "not measured"
    return f"{number(part)} ({part.quantity.which})" if part.quantity.which else number(part)
