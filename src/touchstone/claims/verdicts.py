"""One status word per claim, from metrics rows and the criteria fixed before them. papers.md 6.2 and 6.10."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from touchstone.claims.criteria import Book, Bound, Condition, Criterion, Published
from touchstone.claims.measurements import COMPLEMENT, Chosen, Measured, Missing, Quantity, quantities
from touchstone.records.metric_rows import MetricRow
from touchstone.statistics.wording import bracketed, limit, written

CONFIRMED, INCONCLUSIVE, NOT_CONFIRMED = "confirmed", "inconclusive", "not confirmed"
BY_CONSTRUCTION, BROKEN = "true by construction", "broken by adaptive attack"
OUT_OF_SCALE, REPORTED, NOT_RUN = "not reproducible at this scale", "reported", "not run"
# Where several hold, the first is the word. A claim is as good as the weakest of what it asks for.
STATUSES = (
    BROKEN, BY_CONSTRUCTION, OUT_OF_SCALE, NOT_CONFIRMED, NOT_RUN, INCONCLUSIVE, CONFIRMED, REPORTED,
)  # fmt: skip
SMALL = ("digits",)  # data sets whose verdicts are marked: about 360 test images (papers.md 6.9)
FEWEST_SEEDS = 3
MISSING = "missing: "  # how the note begins where the study asks a claim and has not the rows for it


@dataclass(frozen=True)
class Part:
    """One number of a claim, what it had to be, and the word for it alone."""

    condition: Condition
    bound: Bound | None
    quantity: Quantity
    word: str
    seeds: tuple[int, ...]  # all that were judged, where the number is that of the one that decides
    note: str = ""  # why the number is less than it seems
    breaks: bool = False  # what it had to be says when the claim is broken, not when it is met
    rows: tuple[MetricRow, ...] = ()  # of all that was judged, also of seeds that did not decide

    @property
    def title(self) -> str:
        """What the number is, with the entries that play the roles its name holds."""
        return self.condition.name.format(**self.quantity.names)

    @property
    def name(self) -> str:
        """What the number is, and of what, where the claim asks it of several things or of each seed."""
        return ": ".join(filter(None, (self.title, self.quantity.which, self.decider)))

    @property
    def decider(self) -> str:
        """The seed that decided, where each was judged by itself: "seed 1, the worst of 3"."""
        alone = len(self.quantity.seeds) == 1 < len(self.seeds)
        return f"seed {self.quantity.seeds[0]}, the worst of {len(self.seeds)}" if alone else ""


@dataclass(frozen=True)
class Verdict:
    """The status word of one claim, what was measured for it (the number that decided first), and notes."""

    claim: Published | Criterion
    word: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    judged_by: tuple[str, ...] = ()  # a published claim: the criteria that scale it down
    unattacked: bool = False  # none of the adaptive attacks that could break it was made

    @property
    def missing(self) -> bool:
        """Whether the study asks the claim and lacks the rows for it."""
        return bool(self.notes) and self.notes[0].startswith(MISSING)


class Asked(NamedTuple):
    """What a study says of the claims: its in-distribution data, and who plays the roles, or why a claim is not run."""

    data: str
    components: Mapping[str, str]  # {evaluation: its component}
    claims: Mapping[str, str | Chosen]


def judge(book: Book, asked: Asked, rows: Iterable[MetricRow]) -> list[Verdict]:
    """Return one verdict per claim, published ones first, in the order of papers.md."""
    measured = Measured(rows, asked.components)
    alone = {name: _alone(criterion, asked, measured) for name, criterion in book.criteria.items()}
    breaks = {name: _breaks(verdict, asked, measured) for name, verdict in alone.items()}
    whole = {name: _with_own_break(verdict, breaks[name]) for name, verdict in alone.items()}
    found = {name: _attacked(verdict, asked, breaks) for name, verdict in whole.items()}
    return [_published(claim, found.values()) for claim in book.published.values()] + list(found.values())


def _alone(criterion: Criterion, asked: Asked, measured: Measured) -> Verdict:
    """Return the verdict on a criterion, whatever adaptive attacks did to it."""
    chosen = asked.claims.get(criterion.id)
    if criterion.fixed and not (criterion.roles and _whole(criterion, chosen)):
        return Verdict(criterion, criterion.fixed)
    if not _whole(criterion, chosen):
        return Verdict(criterion, NOT_RUN, notes=(_reason(criterion, chosen),))
    unbounded = [test.bounds for test in criterion.tests if test.comparison and test.bound(asked.data) is None]
    if unbounded:
        known = " and ".join(unbounded[0]) if isinstance(unbounded[0], Mapping) else "none"
        return Verdict(criterion, NOT_RUN, notes=(f"its bound was fixed for {known}, not for {asked.data}",))
    parts, missing = _parts(criterion.tests, criterion, chosen, asked.data, measured)
    needed, lacking = _parts(criterion.needs, criterion, chosen, asked.data, measured)
    if missing or lacking:
        return Verdict(
            criterion, criterion.fixed or NOT_RUN, notes=(MISSING + "; ".join(dict.fromkeys((*lacking, *missing))),)
        )
    unmet = [part for part in needed if _slack(part.condition, part.bound, part.quantity) < 0]
    if unmet:
        return Verdict(criterion, NOT_RUN, notes=tuple(f"asked only where {told(part)}" for part in unmet))
    return _weighed(criterion, parts, asked.data)


def _whole(criterion: Criterion, chosen: str | Chosen | None) -> bool:
    return chosen is not None and not isinstance(chosen, str) and chosen.keys() >= criterion.roles.keys()


def _reason(criterion: Criterion, chosen: str | Chosen | None) -> str:
    if isinstance(chosen, str):
        return chosen
    lacking = [f"{name} ({role.section})" for name, role in criterion.roles.items() if name not in (chosen or ())]
    return f"the study names nothing for {', '.join(lacking)}"


def _parts(
    conditions: Iterable[Condition], criterion: Criterion, chosen: Any, data: str, measured: Measured
) -> tuple[tuple[Part, ...], list[str]]:
    """Return the numbers with their words, of each seed the one that decides, and what rows are missing."""
    conditions = tuple(conditions)
    parts, missing = [], []
    for condition in conditions:
        bound = condition.bound(data)
        try:
            ceiling = _ceiling(condition, criterion, chosen, data, measured)
            for found in quantities(condition, criterion, chosen, measured):
                seeds = tuple(sorted({seed for each in found for seed in each.seeds}))
                # Of an upper bound nobody knows how low the truth lies.
                open_ = [each._replace(low=-math.inf) if ceiling else each for each in found]
                words = [status(condition, bound, each) for each in open_]
                rows = tuple({id(row): row for each in found for row in each.rows}.values())
                judged = [
                    Part(condition, bound, each, word, seeds, ceiling or _seen(condition, bound, each), rows=rows)
                    for each, word in zip(found, words, strict=True)
                ]
                parts.append(min(judged, key=_weakness))
        except Missing as error:
            if not condition.optional:
                missing.append(str(error))
    if conditions and not parts and not missing:
        missing.append(", ".join(condition.name for condition in conditions))
    return tuple(parts), missing


def _ceiling(condition: Condition, criterion: Criterion, chosen: Any, data: str, measured: Measured) -> str:
    """Return, in words, that the attack behind a number was stuck too often for it to be more than an upper bound."""
    if condition.stuck is None:
        return ""
    try:
        shares = [each for found in quantities(condition.stuck, criterion, chosen, measured) for each in found]
    except Missing:  # an attack that follows no gradient notes none
        return ""
    worst = max(shares, key=lambda each: each.value)
    if _slack(condition.stuck, condition.stuck.bound(data), worst) >= 0:
        return ""
    return f"an upper bound: on {worst.value:.0%} of the attacked OOD images the score's own gradient is 0"


def _weakness(part: Part) -> tuple[int, float]:
    return STATUSES.index(part.word), _slack(part.condition, part.bound, part.quantity)


def status(condition: Condition, bound: Bound | None, quantity: Quantity) -> str:
    """Return the word for one number: confirmed or not where the whole interval says so, else inconclusive.

    Without a comparison it is reported. What has to be equal is no estimate: its ends are those of the seeds
    (measurements.py), and each seed has to meet it.
    """
    if not condition.comparison or bound is None:
        return REPORTED
    low, high = quantity.low, quantity.high
    least, most = bound if isinstance(bound, tuple) else (bound, bound)
    match condition.comparison:
        case "at_least":
            met, failed = low >= least, high < least
        case "above":
            met, failed = low > least or bool(_seen(condition, bound, quantity)), high <= least
        case "at_most":
            met, failed = high <= most, low > most
        case "below":
            met, failed = high < most, low >= most
        case "between":
            met, failed = low >= least and high <= most, high < least or low > most
        case _:
            met = max(abs(end - least) for end in (low, high)) <= condition.tolerance
            failed = not met
    return CONFIRMED if met else NOT_CONFIRMED if failed else INCONCLUSIVE


def _seen(condition: Condition, bound: Bound | None, quantity: Quantity) -> str:
    """Return, in words, that a share that has to be above 0 was so on one seed: "" where that is not what decides.

    No share lies below 0, so one seed whose whole interval lies above it settles that their mean does.
    """
    asked = condition.comparison == "above" and bound == 0 and condition.minus is None
    if not asked or quantity.unit != "fraction" or condition.rows.metric.startswith(COMPLEMENT) or quantity.low > 0:
        return ""
    seeds = sorted(str(row.seed) for row in quantity.rows if row.low is not None and row.low > 0)
    return (
        f"one success is enough, and there are some on seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}" if seeds else ""
    )


def _slack(condition: Condition, bound: Bound | None, quantity: Quantity) -> float:
    """Return by how much the value alone meets the bound; below 0 where it does not."""
    if not condition.comparison or bound is None:
        return 0.0
    least, most = bound if isinstance(bound, tuple) else (bound, bound)
    value = quantity.value
    match condition.comparison:
        case "at_least":
            return value - least
        case "above":
            return value - least if value != least else -1.0
        case "at_most":
            return most - value
        case "below":
            return most - value if value != most else -1.0
        case "between":
            return min(value - least, most - value)
        case _:
            return condition.tolerance - abs(value - least)


def _weighed(criterion: Criterion, parts: tuple[Part, ...], data: str) -> Verdict:
    """Return the verdict of the weakest number, the numbers in that order, with the notes that go with it."""
    by_weakness = tuple(sorted(parts, key=_weakness))
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
    """What an adaptive attack did: the word for it (confirmed: it breaks), what it says, and on whom it was made."""

    word: str
    says: str
    chosen: Chosen
    parts: tuple[Part, ...] = ()  # its numbers, where a condition of its own decides


def _breaks(verdict: Verdict, asked: Asked, measured: Measured) -> Break:
    """Return whether what a criterion measured breaks those that name it."""
    criterion, chosen = verdict.claim, asked.claims.get(verdict.claim.id, {})
    assert isinstance(criterion, Criterion)
    if verdict.word in (NOT_RUN, criterion.fixed) or isinstance(chosen, str):
        return Break(NOT_RUN, "", {})
    parts, own = verdict.parts, tuple[Part, ...]()
    if criterion.breaks:
        found, _ = _parts([criterion.breaks], criterion, chosen, asked.data, measured)
        parts = own = tuple(sorted((replace(part, breaks=True) for part in found), key=_weakness))
    if not parts:
        return Break(NOT_RUN, "", {})
    weakest = min(parts, key=_weakness)
    label = f", so {weakest.condition.says}" if weakest.condition.says and weakest.word == CONFIRMED else ""
    return Break(weakest.word, f"{told(weakest)}{label}", chosen, own)


def _with_own_break(verdict: Verdict, attack: Break) -> Verdict:
    """Return the verdict with the numbers that say whether it is broken before the others: they decide."""
    decided = [part.quantity for part in attack.parts]
    others = tuple(part for part in verdict.parts if part.quantity not in decided)
    return replace(verdict, parts=(*attack.parts, *others))


def _attacked(verdict: Verdict, asked: Asked, breaks: Mapping[str, Break]) -> Verdict:
    """Return the verdict with what adaptive attacks on the same networks, detectors and translators did to it."""
    criterion = verdict.claim
    assert isinstance(criterion, Criterion)
    if not criterion.broken_by or verdict.word == NOT_RUN:
        return verdict
    own = asked.claims[criterion.id]
    assert not isinstance(own, str)
    found = {name: breaks[name] for name in criterion.broken_by if _same(own, breaks[name])}
    breaking = [_told_break(name, found[name], criterion) for name in found if found[name].word == CONFIRMED]
    if breaking:
        return replace(verdict, word=BROKEN, notes=(*breaking, *verdict.notes))
    if not found:
        note = f"no adaptive attack on it ({', '.join(criterion.broken_by)} not run), so no claim of robustness"
        return replace(verdict, notes=(*verdict.notes, note), unattacked=True)
    open_ = [name for name, attack in found.items() if attack.word == INCONCLUSIVE]
    more = [
        f"{'its own interval' if name == criterion.id else name} leaves open whether it is broken: {found[name].says}"
        for name in open_
    ]
    more += [f"{name} does not break it" for name in found if name not in (*open_, criterion.id)]
    return replace(verdict, notes=(*verdict.notes, *more))


def _told_break(name: str, attack: Break, criterion: Criterion) -> str:
    """Return what broke a claim; of its own number, which stands beside it, just what follows from it."""
    if name != criterion.id or not attack.parts:
        return f"{name}: {attack.says}"
    own = attack.parts[0]
    return "; ".join(filter(None, (own.condition.says, own.note))) or f"{name}: {attack.says}"


def _same(own: Chosen, attack: Break) -> bool:
    return attack.word != NOT_RUN and all(own[role] == attack.chosen[role] for role in own if role in attack.chosen)


# --- published claims ---------------------------------------------------------------------------------------------


def _published(claim: Published, verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a published claim: the first word, in their order, of the criteria that scale it down.

    What no adaptive attack has tried confirms no published claim: oblivious attacks are diagnostics (papers.md 6.3).
    """
    own = [v for v in verdicts if isinstance(v.claim, Criterion) and claim.id in v.claim.scales]
    if not own:
        return Verdict(claim, NOT_RUN, notes=("no criterion was fixed beforehand that scales it down",))
    deciding = min(own, key=lambda verdict: STATUSES.index(verdict.word))
    names = tuple(verdict.claim.id for verdict in own)
    notes = ("; ".join(f"{verdict.claim.id} {verdict.word}" for verdict in own), *deciding.notes)
    if deciding.word == CONFIRMED and any(verdict.unattacked for verdict in own):
        return Verdict(claim, NOT_RUN, notes=notes, judged_by=names)
    return Verdict(claim, deciding.word, deciding.parts, notes, names)


# --- words --------------------------------------------------------------------------------------------------------

SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<", "equals": "=", "between": "in"}


def told(part: Part) -> str:
    """Return a number with its interval and what it had to be: "clean accuracy 91.4 % [88.0, 94.1], asked ≥ 95 %"."""
    unit = part.quantity.unit
    low, high = (end if math.isfinite(end) else None for end in (part.quantity.low, part.quantity.high))
    text = f"{part.name} {written(part.quantity.value, unit)} {bracketed(low, high, unit)}".rstrip()
    asked = required(part)
    return f"{text}, {asked if part.breaks else f'asked {asked}'}" if asked else text


def required(part: Part) -> str:
    """Return what the number had to be, "≥ 85 %", or of what breaks a claim when it does, "broken if < 20 %"."""
    if not part.condition.comparison or part.bound is None:
        return ""
    ends = part.bound if isinstance(part.bound, tuple) else (part.bound,)
    text = ", ".join(limit(end, part.quantity.unit) for end in ends)
    sign = f"broken if {SIGNS[part.condition.comparison]}" if part.breaks else SIGNS[part.condition.comparison]
    return f"{sign} {f'[{text}]' if len(ends) > 1 else text}"
