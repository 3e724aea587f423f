"""The second word of a verdict: whether a claim survives an attacker who knows the defence.

An attack proves that a claim is broken, never the opposite. So a claim that no attack broke is `upper bound only`, unless
everything that its criterion asks for under `survives_if` is met.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from touchstone.claims.criteria import COMPLEMENT, COUNTER, NUMBER, Chosen
from touchstone.claims.judged_parts import judged_parts
from touchstone.claims.measurements import Measured
from touchstone.claims.verdicts import DOWN, LOWERED, RAISED, UP, Part, Verdict, is_difference, is_raised, sentence
from touchstone.claims.words import (
    BROKEN,
    DOES_NOT_APPLY,
    FAILS,
    HOLDS,
    NO_VERDICT,
    NOT_ATTACKED,
    SURVIVES,
    UPPER_BOUND,
)
from touchstone.records.metric_rows import OBLIVIOUS


def own_attacker(verdict: Verdict) -> str:
    """Return the word for the attack behind a claim's own numbers, before other criteria attack it.

    A number under an attack that did not know the detector or the defence says nothing about one that does. Of a
    difference of two attacked numbers an attack proves neither side.
    """
    if verdict.claim.kind == NUMBER:
        return NO_VERDICT
    if verdict.claim.kind == COUNTER:  # it is an attack itself
        return DOES_NOT_APPLY
    judged = [part for part in verdict.parts if part.bound is not None and not part.breaks]
    if any(part.quantity.row.threat.knowledge == OBLIVIOUS for part in judged):
        return NOT_ATTACKED
    if any(_is_attacked_difference(part) for part in judged):
        return UPPER_BOUND
    robust = [part for part in judged if _is_robust(part)]
    if not robust:
        return DOES_NOT_APPLY
    return BROKEN if any(part.word == FAILS for part in robust) else UPPER_BOUND


def if_it_survives(verdict: Verdict, chosen: Chosen, measured: Measured) -> Verdict:
    """Return the verdict, with the word `survives` if no attack broke it and all that it asks for then is met.

    Args:
        verdict: after all attacks.
        chosen: who plays the roles of its criterion.
        measured: the rows of the study.
    """
    criterion = verdict.claim
    if verdict.attacker != UPPER_BOUND or not criterion.survives_if or any(map(_is_attacked_difference, verdict.parts)):
        return verdict
    parts, missing = judged_parts(criterion.survives_if, criterion, chosen, measured)
    notes = [*_notes(parts), *([f"whether it survives needs {'; '.join(missing)}"] if missing else [])]
    if notes:
        return replace(verdict, notes=(*verdict.notes, *notes))
    return replace(verdict, attacker=SURVIVES)


def _notes(parts: Iterable[Part]) -> list[str]:
    """Return which conditions for surviving are not met."""
    return [f"not enough to survive: {sentence(part)}" for part in parts if part.word != HOLDS]


def _is_attacked_difference(part: Part) -> bool:
    """Return whether a number is a difference of two that an attacker who knows has lowered, not of two ranks of margins."""
    threat = part.quantity.row.threat
    return part.bound is not None and is_difference(part.quantity) and threat.is_white_box and not threat.how


def _is_robust(part: Part) -> bool:
    """Return whether a number has to stay high, or an error low, under an attacker who knows."""
    known = part.condition.rows.metric.removeprefix(COMPLEMENT).startswith((*LOWERED, *RAISED))
    resists = part.condition.comparison in (DOWN if is_raised(part.condition) else UP)
    return known and resists and part.quantity.row.threat.is_white_box
