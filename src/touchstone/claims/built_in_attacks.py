"""What the attack behind a claim's own numbers shows: the second word of a verdict, before other criteria attack it."""

from __future__ import annotations

import re
from dataclasses import replace

from touchstone.claims.criteria import Chosen, Condition, Criterion
from touchstone.claims.judged_parts import judged_parts
from touchstone.claims.measurements import Measured
from touchstone.claims.verdicts import (
    ATTACKERS,
    BROKEN,
    CONFIRMED,
    DOES_NOT_APPLY,
    INCONCLUSIVE,
    NOT_ATTACKED,
    NOT_CONFIRMED,
    OPEN,
    SURVIVES,
    UP,
    UPPER_BOUND,
    Part,
    Verdict,
    is_difference,
    sentence,
)
from touchstone.records.metric_rows import OBLIVIOUS

ATTACK = re.compile(r"/\S+")  # in "{ood}/{attack} less {plain}": what is not in "{ood} less {plain}"


def with_built_in_attacker(verdict: Verdict, chosen: Chosen, data: str, measured: Measured) -> Verdict:
    """Return the verdict with the word for its own attack, and what its failed differences are without that attack.

    A claim of robustness under an attack has a condition for a stuck attack, and its number has to be high. So has a
    certified number, which holds for every attack within its eps. A number under an attack that did not know the
    detector or the defence says nothing about one that does.
    """
    assert isinstance(verdict.claim, Criterion)
    upwards = [part for part in verdict.parts if part.condition.comparison in UP]
    robust = [part for part in upwards if part.condition.stuck]
    if not robust:
        return replace(verdict, attacker=_without_attacked_numbers(verdict.claim, verdict.parts, upwards))
    failed = [part for part in robust if part.word == NOT_CONFIRMED]
    if not failed:
        return replace(verdict, attacker=_of_what_did_not_fail(robust))
    shown = [_of_failed(part, verdict.claim, chosen, data, measured) for part in failed]
    word = min((word for word, _ in shown), key=ATTACKERS.index)
    return replace(verdict, attacker=word, notes=(*verdict.notes, *filter(None, (note for _, note in shown))))


def _without_attacked_numbers(criterion: Criterion, parts: tuple[Part, ...], upwards: list[Part]) -> str:
    """Return the word for a claim that asks for no high number under an attack that knows."""
    certified = [part for part in upwards if part.quantity.row.metric.startswith("certified_")]
    if certified:  # if it is low, an attack need not exist
        return SURVIVES if all(part.word == CONFIRMED for part in certified) else OPEN
    oblivious = any(part.quantity.row.threat.knowledge == OBLIVIOUS for part in parts)
    return NOT_ATTACKED if oblivious and criterion.kind != "counter" else DOES_NOT_APPLY


def _of_what_did_not_fail(robust: list[Part]) -> str:
    """Return the word for attacked numbers of which none failed."""
    undecided = [part for part in robust if part.word != CONFIRMED]
    stuck = [part for part in undecided if part.stuck is not None]
    if stuck and not any(is_difference(part.quantity) for part in stuck):
        return UPPER_BOUND
    return OPEN if undecided else SURVIVES


def _of_failed(part: Part, criterion: Criterion, chosen: Chosen, data: str, measured: Measured) -> tuple[str, str]:
    """Return the word for an attacked number that failed, and a note with the same difference without the attack.

    An attack breaks a difference only if the difference meets its bound without the attack.
    """
    if not is_difference(part.quantity):
        return BROKEN, ""
    unattacked = _unattacked(part.condition)
    parts, _ = judged_parts([unattacked] if unattacked else [], criterion, chosen, data, measured)
    same = [one for one in parts if one.quantity.names.items() <= part.quantity.names.items()]
    if not same:
        return DOES_NOT_APPLY, f"{part.title} was not measured without an attack"
    word = {CONFIRMED: BROKEN, INCONCLUSIVE: OPEN}.get(same[0].word, DOES_NOT_APPLY)
    return word, f"without an attack: {sentence(same[0])}"


def _unattacked(condition: Condition) -> Condition | None:
    """Return the condition on the same number without an attack; None if its rows do not name the attack.

    Instead of "auroc_both" on {ood}/{attack} it is about "auroc_clean" on {ood}.
    """
    rows = condition.rows
    metric, examples = rows.metric.replace("_both", "_clean"), ATTACK.sub("", rows.examples)
    if examples == rows.examples:
        return None
    return replace(condition, rows=rows._replace(metric=metric, examples=examples, threat=()), stuck=(), certified=None)
