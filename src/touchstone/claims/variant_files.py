"""Variants of a claim, as the grade multiverse of an experiment.yaml writes them: their keys, and the gate."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from touchstone.claims.condition_files import read_condition
from touchstone.claims.criteria import COMPARISONS, Condition, Criterion
from touchstone.claims.file_checks import ClaimError, Place, check_block, check_names, size

KEYS = ("changed", "reason", "roles", "kind", "eps")
MOST = 8  # variants of a claim
LABEL = 40  # letters of what a variant changes, so that it fits beside its bar
WITHIN = "within"  # how far a number of the gate may be from that of the flagship
BUDGET = re.compile(r"@[0-9.]+")  # in the name of what an attack of one budget leaves, such as union_linf@0.1


class Gate(NamedTuple):
    """A number that says whether a variant learned at all, with its bound.

    Attributes:
        condition: the number; its bound is absolute.
        within: how far it may be from the flagship's number; None if the bound is absolute.
    """

    condition: Condition
    within: float | None


def read_gate(place: Place, blocks: Sequence[Mapping[str, Any]], criterion: Criterion) -> tuple[Gate, ...]:
    """Return the numbers that tell a variant that learned from one that did not.

    Args:
        place: of the gate in its file.
        blocks: written as the tests of a claim; `within: 0.05` compares with the flagship.
        criterion: the claim.

    Raises:
        ClaimError: one is wrong, there is none, or it asks for what the claim is about.
    """
    if not blocks:
        raise ClaimError(place, "must be given: what shows that a variant learned, such as its clean accuracy")
    return tuple(_gate((*place, str(index)), block, criterion) for index, block in enumerate(blocks))


def _gate(place: Place, block: Mapping[str, Any], criterion: Criterion) -> Gate:
    check_block(place, block)
    within = None if WITHIN not in block else size((*place, WITHIN), block[WITHIN])
    condition = read_condition(place, {}, {key: value for key, value in block.items() if key != WITHIN})
    if (within is None) == (not condition.comparison):
        listed = ", ".join((WITHIN, *COMPARISONS))
        raise ClaimError(place, f"needs one bound, one of {listed}")
    check_names(place, condition.roles, criterion.roles, f"{condition.name}: the role")
    if any(condition.rows == test.rows for test in criterion.tests if test.comparison):
        raise ClaimError(place, f"{condition.name}: the claim itself is about this number, so it is no gate")
    return Gate(condition, within)


def in_variant(criterion: Criterion, variant: Mapping[str, Any]) -> Criterion:
    """Return a criterion with the eps of a variant, if it has one of its own."""
    eps = variant.get("eps")
    if eps is None:
        return criterion
    tests, needs = (tuple(at_eps(each, eps) for each in group) for group in (criterion.tests, criterion.needs))
    return replace(criterion, tests=tests, needs=needs)


def at_eps(condition: Condition, eps: float | None) -> Condition:
    """Return a condition on the same number under attacks of another eps; None changes nothing."""
    if eps is None:
        return condition
    rows = condition.rows
    threat = tuple((key, eps if key == "eps" else value) for key, value in rows.threat)
    return replace(
        condition,
        rows=rows._replace(threat=threat, examples=BUDGET.sub(f"@{eps:g}", rows.examples)),
        stuck=tuple(at_eps(each, eps) for each in condition.stuck),
    )
