"""What a criterion found, as the sentence that its paper.yaml writes."""

from __future__ import annotations

from touchstone.claims.criteria import Condition, Criterion
from touchstone.claims.verdicts import Part, Verdict, number


def said(verdict: Verdict) -> str:
    """Return what a criterion found, as a sentence with its numbers; "" if nothing was measured.

    Without a sentence of its own, it is what was measured and every number. Of several things that a test judges, it is
    the weakest, by its name.
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


def _number_of(condition: Condition, parts: tuple[Part, ...]) -> str:
    """Return the weakest number of a condition, which comes first."""
    part = next((part for part in parts if part.condition is condition), None)
    if part is None:
        return "not measured"
    return f"{number(part)} ({part.quantity.which})" if part.quantity.which else number(part)
