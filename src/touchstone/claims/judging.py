"""From the rows of a study to one verdict per claim: measure, judge each number, then apply the adaptive attacks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from touchstone.claims.attackers import if_it_survives, own_attacker
from touchstone.claims.criteria import NUMBER, Book, Chosen, Criterion
from touchstone.claims.judged_parts import judged_parts
from touchstone.claims.measurements import Measured, seeds_in_words
from touchstone.claims.multiplicity import by_chance, with_holm
from touchstone.claims.variants import with_variants
from touchstone.claims.verdicts import (
    FEWEST_SEEDS,
    Part,
    Verdict,
    range_note,
    sentence,
    slack,
    stuck_note,
    weakness,
)
from touchstone.claims.words import (
    BROKEN,
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    MISSING,
    NO_VERDICT,
    NOT_ATTACKED,
    NOT_RUN,
    UPPER_BOUND,
)
from touchstone.messages import listed
from touchstone.records.metric_tables import MetricRow


class StudyClaims(NamedTuple):
    """What a study says about the claims.

    components: {evaluation: its component}. claims: {criterion: the entries that play its roles, or the reason why the
    study does not ask it}. left_out: what could not be measured, with the reasons. variants: {criterion: its gate and its
    variants}, of those that the study tries. words: {entry: what people call it}.
    """

    components: Mapping[str, str]
    claims: Mapping[str, str | Chosen]
    left_out: Collection[str] = ()
    variants: Mapping[str, Mapping[str, Any]] = {}
    words: Mapping[str, str] = {}


def judge(book: Book, study: StudyClaims, rows: Iterable[MetricRow]) -> list[Verdict]:
    """Return one verdict per criterion, in the order of the book."""
    measured = Measured(rows, study.components, study.words)
    held = {name: _held(criterion, study, measured) for name, criterion in book.criteria.items()}
    breaks = {name: _break(verdict, study, measured) for name, verdict in held.items()}
    attacked = {
        name: _attacked(_with_own_break(verdict, breaks[name]), study, breaks, measured)
        for name, verdict in held.items()
    }
    return [with_variants(verdict, study.variants.get(name), measured) for name, verdict in with_holm(attacked).items()]


def _held(criterion: Criterion, study: StudyClaims, measured: Measured) -> Verdict:
    """Return whether a claim holds, before attackers who know are applied."""
    chosen = _roles_filled(criterion, study.claims.get(criterion.id))
    if chosen is None:
        return Verdict(criterion, NOT_RUN, notes=(_reason(criterion, study.claims.get(criterion.id)),))
    parts, missing = judged_parts(criterion.tests, criterion, chosen, measured)
    needed, lacking = judged_parts(criterion.needs, criterion, chosen, measured)
    if missing or lacking:
        notes = (MISSING + "; ".join(dict.fromkeys((*lacking, *missing))), *_left_out(criterion, chosen, study))
        return Verdict(criterion, NOT_RUN, notes=notes)
    unmet = [part for part in needed if slack(part.condition, part.quantity) < 0]
    if unmet:
        return Verdict(
            criterion, NOT_RUN, notes=tuple(f"its precondition is not met: {sentence(part)}" for part in unmet)
        )
    verdict = _weighed(criterion, parts)
    open_needs = [part for part in needed if part.word == INCONCLUSIVE]
    doubts = [f"it is open whether its precondition is met: {sentence(part)}" for part in open_needs]
    return replace(verdict, notes=(*verdict.notes, *doubts, *_without_seeds(needed)))


def _roles_filled(criterion: Criterion, chosen: str | Chosen | None) -> Chosen | None:
    """Return who plays the roles of a criterion; None unless the study fills all of them."""
    if chosen is None or isinstance(chosen, str) or not chosen.keys() >= criterion.roles.keys():
        return None
    return chosen


def _reason(criterion: Criterion, chosen: str | Chosen | None) -> str:
    """Return why a study does not ask a criterion: its own words, or the roles that it leaves empty."""
    if isinstance(chosen, str):
        return chosen
    lacking = [f"{name} ({role.section})" for name, role in criterion.roles.items() if name not in (chosen or ())]
    return f"the study names nothing for {', '.join(lacking)}"


def _left_out(criterion: Criterion, chosen: Chosen, study: StudyClaims) -> list[str]:
    """Return why detectors that play a role, or evaluations that the criterion reads, could not be measured."""
    names = [name for value in chosen.values() for name in ([value] if isinstance(value, str) else value)]
    asked = {condition.rows.evaluation for condition in (*criterion.tests, *criterion.needs)}
    heads = [f"detector {name} of " for name in names]
    heads += [f"evaluation {name} " for name, component in study.components.items() if component in asked]
    return [reason for reason in study.left_out if reason.startswith(tuple(heads))]


def _weighed(criterion: Criterion, parts: tuple[Part, ...]) -> Verdict:
    """Return the verdict of the weakest number, the numbers in that order, and the notes that qualify it."""
    if any(part.word == FAILS for part in parts) and (looks := by_chance(criterion, parts)):
        parts = tuple(replace(part, word=INCONCLUSIVE, looks=looks) if part.word == FAILS else part for part in parts)
    by_weakness = tuple(sorted(parts, key=weakness))
    notes = [*dict.fromkeys(part.counted for part in by_weakness if part.few)]
    notes += filter(None, [range_note(by_weakness), stuck_note(by_weakness)])
    notes += _without_seeds(by_weakness)
    verdict = Verdict(criterion, by_weakness[0].word, by_weakness, tuple(notes))
    return replace(verdict, attacker=own_attacker(verdict))


def _without_seeds(parts: Iterable[Part]) -> list[str]:
    """Return which numbers leave out networks that their evaluation has other numbers of."""
    return list(
        dict.fromkeys(
            f"{part.name} leaves out {seeds_in_words(part.quantity.without)}: no such number was measured"
            for part in parts
            if part.quantity.without
        )
    )


# --- attackers who know the defence -------------------------------------------------------------------------------


class Break(NamedTuple):
    """What an adaptive attack did: the word for it (holds: it breaks), in a sentence, and whom it attacked."""

    word: str
    sentence: str
    chosen: Chosen
    parts: tuple[Part, ...] = ()  # its numbers, if the criterion has a condition of its own for breaking


def _break(verdict: Verdict, study: StudyClaims, measured: Measured) -> Break:
    """Return whether what a criterion measured breaks the criteria that name it in `broken_by`."""
    criterion, chosen = verdict.claim, study.claims.get(verdict.claim.id, {})
    if verdict.word == NOT_RUN or isinstance(chosen, str):
        return Break(NOT_RUN, "", {})
    parts, own = verdict.parts, tuple[Part, ...]()
    missing: list[str] = []
    if criterion.breaks:
        _, missing = judged_parts([criterion.breaks], criterion, chosen, measured)
        # Of several networks every one that was attacked counts, also those named after one that was not.
        there, _ = judged_parts([replace(criterion.breaks, optional=True)], criterion, chosen, measured)
        own = tuple(replace(part, condition=criterion.breaks, breaks=True) for part in there)
        parts = own = tuple(sorted(own, key=_severity))
    judged = [part for part in parts if part.word != NO_VERDICT]
    if not judged:
        return Break(NOT_RUN, "", {}, own)
    # Tests have to be met by everything that they judge. What breaks one of several networks breaks the claim about them.
    deciding = min(judged, key=_severity if own else weakness)
    if missing and deciding.word == FAILS:
        return Break(INCONCLUSIVE, f"{MISSING}{'; '.join(missing)}", chosen, own)
    consequence = deciding.condition.consequence if deciding.word == HOLDS else ""
    label = f", so {consequence}" if consequence else ""
    if deciding.word == INCONCLUSIVE and deciding.few:
        label = f", but that is {deciding.counted}, and a verdict needs {FEWEST_SEEDS}"
    return Break(deciding.word, f"{sentence(deciding)}{label}", chosen, own)


def _severity(part: Part) -> tuple[int, float]:
    """Return a sort key of numbers that break a claim: the one that does so most clearly first."""
    order = (HOLDS, INCONCLUSIVE, FAILS, NO_VERDICT)
    return order.index(part.word), -slack(part.condition, part.quantity)


def _with_own_break(verdict: Verdict, attack: Break) -> Verdict:
    """Return the verdict with the numbers that say whether an attack breaks something."""
    notes = (*verdict.notes, *_without_seeds(attack.parts))
    return replace(verdict, parts=(*verdict.parts, *attack.parts), notes=notes)


def _attacked(verdict: Verdict, study: StudyClaims, breaks: Mapping[str, Break], measured: Measured) -> Verdict:
    """Return the verdict after the adaptive attacks on the same networks, detectors and translators."""
    criterion, own = verdict.claim, study.claims.get(verdict.claim.id)
    if verdict.word == NOT_RUN or criterion.kind == NUMBER or own is None or isinstance(own, str):
        return verdict
    if not criterion.broken_by:
        return if_it_survives(verdict, own, measured)
    attacks = {name: breaks[name] for name in criterion.broken_by if _attacks_the_same(own, breaks[name])}
    by_word = {word: [name for name in attacks if attacks[name].word == word] for word in (HOLDS, INCONCLUSIVE)}
    notes = [f"broken by {name}: {attacks[name].sentence}" for name in by_word[HOLDS]]
    notes += [f"{name} leaves open whether it is broken: {attacks[name].sentence}" for name in by_word[INCONCLUSIVE]]
    if by_word[HOLDS] or verdict.attacker == BROKEN:
        word = BROKEN
    elif not attacks:
        word = NOT_ATTACKED
        others = [name for name in criterion.broken_by if name != criterion.id]
        notes.append(f"no adaptive attack on it: {f'{listed(others)} not run' if others else 'none was run'}")
    else:
        word = UPPER_BOUND
    attacked = replace(verdict, attacker=word, notes=(*verdict.notes, *notes))
    return attacked if by_word[INCONCLUSIVE] else if_it_survives(attacked, own, measured)


def _attacks_the_same(own: Chosen, attack: Break) -> bool:
    return attack.word != NOT_RUN and all(own[role] == attack.chosen[role] for role in own if role in attack.chosen)
