"""From the rows of a study to one verdict per claim: measure, judge each number, then apply the adaptive attacks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from touchstone.claims.criteria import Book, Condition, Criterion, Published
from touchstone.claims.measurements import Chosen, Measured, Missing, quantities
from touchstone.claims.verdicts import (
    BROKEN,
    CONFIRMED,
    INCONCLUSIVE,
    MISSING,
    NOT_CONFIRMED,
    NOT_RUN,
    STATUSES,
    Part,
    Verdict,
    proof_above_zero,
    sentence,
    slack,
    status,
    weakness,
)  # fmt: skip
from touchstone.records.metric_rows import MetricRow

SMALL = ("digits",)  # data sets whose verdicts are marked as small samples: about 360 test images
FEWEST_SEEDS = 3  # below which a verdict says how many there were


class Asked(NamedTuple):
    """What a study says about the claims.

    data: its in-distribution data, by which bounds differ. components: {evaluation: its component}. claims: {criterion:
    the entries that play its roles, or the reason why the study does not ask it}.
    """

    data: str
    components: Mapping[str, str]
    claims: Mapping[str, str | Chosen]


def judge(book: Book, study: Asked, rows: Iterable[MetricRow]) -> list[Verdict]:
    """Return one verdict per claim, published ones first, in the order of the book."""
    measured = Measured(rows, study.components)
    unattacked = {name: _unattacked(criterion, study, measured) for name, criterion in book.criteria.items()}
    breaks = {name: _break(verdict, study, measured) for name, verdict in unattacked.items()}
    whole = {name: _with_own_break(verdict, breaks[name]) for name, verdict in unattacked.items()}
    verdicts = {name: _attacked(verdict, study, breaks) for name, verdict in whole.items()}
    return [_published(claim, verdicts.values()) for claim in book.published.values()] + list(verdicts.values())


def _unattacked(criterion: Criterion, study: Asked, measured: Measured) -> Verdict:
    """Return the verdict on a criterion before adaptive attacks are applied."""
    chosen = _roles_filled(criterion, study.claims.get(criterion.id))
    if chosen is None or (criterion.fixed and not criterion.roles):
        if criterion.fixed:
            return Verdict(criterion, criterion.fixed)
        return Verdict(criterion, NOT_RUN, notes=(_reason(criterion, study.claims.get(criterion.id)),))
    unbounded = [test.bounds for test in criterion.tests if test.comparison and test.bound(study.data) is None]
    if unbounded:
        data_sets = " and ".join(unbounded[0]) if isinstance(unbounded[0], Mapping) else "none"
        return Verdict(criterion, NOT_RUN, notes=(f"its bound was fixed for {data_sets}, not for {study.data}",))
    parts, missing = _parts(criterion.tests, criterion, chosen, study.data, measured)
    needed, lacking = _parts(criterion.needs, criterion, chosen, study.data, measured)
    if missing or lacking:
        note = MISSING + "; ".join(dict.fromkeys((*lacking, *missing)))
        return Verdict(criterion, criterion.fixed or NOT_RUN, notes=(note,))
    unmet = [part for part in needed if slack(part.condition, part.bound, part.quantity) < 0]
    if unmet:
        return Verdict(criterion, NOT_RUN, notes=tuple(f"asked only where {sentence(part)}" for part in unmet))
    return _weighed(criterion, parts, study.data)


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


def _parts(
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
    bound, ceiling = condition.bound(data), _ceiling(condition, criterion, chosen, data, measured)
    for group in quantities(condition, criterion, chosen, measured):
        seeds = tuple(sorted({seed for one in group for seed in one.seeds}))
        rows = tuple({id(row): row for one in group for row in one.rows}.values())
        judged = []
        for one in group:
            # If the number is only an upper bound, the truth may be arbitrarily lower.
            word = status(condition, bound, one._replace(low=-math.inf) if ceiling else one)
            note = ceiling or proof_above_zero(condition, bound, one)
            judged.append(Part(condition, bound, one, word, seeds, note, rows=rows))
        yield min(judged, key=weakness)


def _ceiling(condition: Condition, criterion: Criterion, chosen: Chosen, data: str, measured: Measured) -> str:
    """Return, in words, that a number is only an upper bound because its attack found no gradient too often."""
    if condition.stuck is None:
        return ""
    try:
        shares = [one for group in quantities(condition.stuck, criterion, chosen, measured) for one in group]
    except Missing:  # an attack that follows no gradient reports no share
        return ""
    worst = max(shares, key=lambda share: share.value)
    if slack(condition.stuck, condition.stuck.bound(data), worst) >= 0:
        return ""
    return f"an upper bound: on {worst.value:.0%} of the attacked OOD images the score's own gradient is 0"


def _weighed(criterion: Criterion, parts: tuple[Part, ...], data: str) -> Verdict:
    """Return the verdict of the weakest number, the numbers in that order, and the notes that qualify it."""
    by_weakness = tuple(sorted(parts, key=weakness))
    weakest = by_weakness[0].word
    notes = []
    if criterion.otherwise and weakest == NOT_CONFIRMED:
        notes.append(criterion.otherwise)
    notes += dict.fromkeys(part.note for part in by_weakness if part.note)
    if data in SMALL:
        counts = sorted({part.quantity.n for part in parts})
        notes.append(f"small sample: n = {' to '.join(map(str, dict.fromkeys((counts[0], counts[-1]))))}")
    seeds = min(len(part.seeds) for part in parts)
    if 0 < seeds < FEWEST_SEEDS:
        notes.append("1 seed" if seeds == 1 else f"{seeds} seeds")
    word = criterion.fixed or (criterion.met if weakest == CONFIRMED else weakest)
    return Verdict(criterion, word, by_weakness, tuple(notes))


# --- adaptive attacks ---------------------------------------------------------------------------------------------


class Break(NamedTuple):
    """What an adaptive attack did: the word for it (confirmed: it breaks), in a sentence, and whom it attacked."""

    word: str
    sentence: str
    chosen: Chosen
    parts: tuple[Part, ...] = ()  # its numbers, if the criterion has a condition of its own for breaking


def _break(verdict: Verdict, study: Asked, measured: Measured) -> Break:
    """Return whether what a criterion measured breaks the criteria that name it in `broken_by`."""
    criterion, chosen = verdict.claim, study.claims.get(verdict.claim.id, {})
    assert isinstance(criterion, Criterion)
    if verdict.word in (NOT_RUN, criterion.fixed) or isinstance(chosen, str):
        return Break(NOT_RUN, "", {})
    parts, own = verdict.parts, tuple[Part, ...]()
    if criterion.breaks:
        breaking, _ = _parts([criterion.breaks], criterion, chosen, study.data, measured)
        parts = own = tuple(sorted((replace(part, breaks=True) for part in breaking), key=weakness))
    if not parts:
        return Break(NOT_RUN, "", {})
    weakest = min(parts, key=weakness)
    label = f", so {weakest.condition.says}" if weakest.condition.says and weakest.word == CONFIRMED else ""
    return Break(weakest.word, f"{sentence(weakest)}{label}", chosen, own)


def _with_own_break(verdict: Verdict, attack: Break) -> Verdict:
    """Return the verdict with the numbers that say whether it is broken first: they decide."""
    decided = [part.quantity for part in attack.parts]
    others = tuple(part for part in verdict.parts if part.quantity not in decided)
    return replace(verdict, parts=(*attack.parts, *others))


def _attacked(verdict: Verdict, study: Asked, breaks: Mapping[str, Break]) -> Verdict:
    """Return the verdict after the adaptive attacks on the same networks, detectors and translators."""
    criterion = verdict.claim
    assert isinstance(criterion, Criterion)
    if not criterion.broken_by or verdict.word == NOT_RUN:
        return verdict
    own = study.claims[criterion.id]
    assert not isinstance(own, str)
    attacks = {name: breaks[name] for name in criterion.broken_by if _attacks_the_same(own, breaks[name])}
    breaking = [_what_broke(name, attack, criterion) for name, attack in attacks.items() if attack.word == CONFIRMED]
    if breaking:
        return replace(verdict, word=BROKEN, notes=(*breaking, *verdict.notes))
    if not attacks:
        note = f"no adaptive attack on it ({', '.join(criterion.broken_by)} not run), so no claim of robustness"
        return replace(verdict, notes=(*verdict.notes, note), unattacked=True)
    undecided = [name for name, attack in attacks.items() if attack.word == INCONCLUSIVE]
    notes = [
        f"{'its own interval' if name == criterion.id else name} leaves open whether it is broken: {attacks[name].sentence}"
        for name in undecided
    ]
    notes += [f"{name} does not break it" for name in attacks if name not in (*undecided, criterion.id)]
    return replace(verdict, notes=(*verdict.notes, *notes))


def _what_broke(name: str, attack: Break, criterion: Criterion) -> str:
    """Return what broke a claim; for its own number, which is shown next to it, only the consequence."""
    if name != criterion.id or not attack.parts:
        return f"{name}: {attack.sentence}"
    own = attack.parts[0]
    return "; ".join(filter(None, (own.condition.says, own.note))) or f"{name}: {attack.sentence}"


def _attacks_the_same(own: Chosen, attack: Break) -> bool:
    return attack.word != NOT_RUN and all(own[role] == attack.chosen[role] for role in own if role in attack.chosen)


# --- published claims ---------------------------------------------------------------------------------------------


def _published(claim: Published, verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a published claim: the weakest word of the criteria that scale it down.

    Without an adaptive attack nothing confirms a published claim: oblivious attacks are diagnostics only
    (docs/papers/shared.md, "Adaptive attacks").
    """
    own = [verdict for verdict in verdicts if isinstance(verdict.claim, Criterion) and claim.id in verdict.claim.scales]
    if not own:
        return Verdict(claim, NOT_RUN, notes=("no criterion was fixed beforehand that scales it down",))
    deciding = min(own, key=lambda verdict: STATUSES.index(verdict.word))
    names = tuple(verdict.claim.id for verdict in own)
    notes = ("; ".join(f"{verdict.claim.id} {verdict.word}" for verdict in own), *deciding.notes)
    if deciding.word == CONFIRMED and any(verdict.unattacked for verdict in own):
        return Verdict(claim, NOT_RUN, notes=notes, judged_by=names)
    return Verdict(claim, deciding.word, deciding.parts, notes, names)
