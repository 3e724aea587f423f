"""How far a verdict carries: the same claim in variants of the experiment, each with a word of its own.

A variant has one network of each kind. Its interval has the variance of its own images, and of seeds that of the claim
itself in the same study (docs/studies.md, "How far a verdict carries").
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from touchstone.claims.criteria import Chosen, Condition, Criterion
from touchstone.claims.judged_parts import one_sided, stuck_share
from touchstone.claims.measurements import EQUAL, Measured, Missing, Quantity, quantities
from touchstone.claims.variant_files import Gate, at_eps, in_variant, read_gate
from touchstone.claims.verdicts import (
    FEWEST_SEEDS,
    Part,
    Verdict,
    number,
    required,
    sentence,
    slack,
    status,
    stuck_note,
    weakness,
)
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE, NOT_RUN
from touchstone.evaluations.statistics.rows import ends_of_one
from touchstone.evaluations.statistics.wording import written
from touchstone.messages import listed

TURNS, DID_NOT_LEARN = "turns", "did not learn"
# The words of a variant that was judged. It turns if it is decided, and otherwise than the claim itself.
COUNTED = (HOLDS, FAILS, TURNS, INCONCLUSIVE)
OPPOSITE = {HOLDS: FAILS, FAILS: HOLDS}
EXPLORATORY = "This is exploratory until three fresh seeds on either side agree"
ROUNDING = 1e-9


@dataclass(frozen=True)
class Variant:
    """One variant of a claim, judged.

    Attributes:
        name: as the experiment calls it.
        changed: its one change, in words.
        reason: why it is tried.
        word: one of COUNTED, DID_NOT_LEARN or NOT_RUN.
        part: the number that decides the claim itself, of this variant; None if it was not measured.
        notes: why it has this word, if its number does not say so.
    """

    name: str
    changed: str
    reason: str
    word: str
    part: Part | None = None
    notes: tuple[str, ...] = ()


def with_variants(verdict: Verdict, tried: Mapping[str, Any] | None, measured: Measured) -> Verdict:
    """Return a verdict with the variants of its claim, judged; without any it stays as it is.

    Args:
        verdict: on the claim itself.
        tried: its gate and its variants, as settings/variants.py resolves them.
        measured: the rows.
    """
    if not tried:
        return verdict
    criterion = replace(verdict.claim, each_seed=False)
    gate = read_gate(("gate",), tried["gate"], criterion)
    deciding = next((part.condition for part in verdict.parts if not part.breaks and part.bound is not None), None)
    place = criterion.tests.index(deciding) if deciding in criterion.tests else 0
    found = (_judged(name, block, criterion, gate, place, measured) for name, block in tried["variants"].items())
    turns = OPPOSITE.get(verdict.word)
    return replace(verdict, variants=tuple(replace(one, word=TURNS) if one.word == turns else one for one in found))


def _judged(
    name: str, block: Mapping[str, Any], criterion: Criterion, gate: Iterable[Gate], place: int, measured: Measured
) -> Variant:
    """Return one variant with its own word, whatever that of the claim itself.

    Args:
        name: of the variant.
        block: its settings.
        criterion: the claim itself.
        gate: what shows that the variant learned.
        place: of the test whose number is shown.
        measured: the rows.
    """
    variant = Variant(name, block["changed"], block["reason"], NOT_RUN)
    own = in_variant(criterion, block)
    try:
        shortfalls = list(_shortfalls(gate, block, criterion, measured))
        parts = [
            (index, part)
            for index, (test, of_claim) in enumerate(zip(own.tests, criterion.tests, strict=True))
            for part in _parts(test, of_claim, criterion, block, measured)
        ]
        needed = [part for test in own.needs for part in _parts(test, test, criterion, block, measured)]
    except Missing as error:
        return replace(variant, notes=(f"missing: {error}",))
    shown = min((part for index, part in parts if index == place), key=weakness, default=None)
    variant = replace(variant, part=shown)
    if shortfalls:
        return replace(variant, word=DID_NOT_LEARN, notes=tuple(shortfalls))
    if unmet := [sentence(part) for part in needed if slack(part.condition, part.quantity) < 0]:
        return replace(variant, notes=tuple(f"its precondition is not met: {each}" for each in unmet))
    bounded = [part for _, part in parts if part.bound is not None]
    if not bounded:
        return replace(variant, notes=("missing: a number with a bound",))
    weakest = min(bounded, key=weakness)
    notes = [sentence(weakest)] if weakest is not shown else []
    return replace(variant, word=weakest.word, notes=(*notes, *_why_open(weakest)))


def _parts(
    test: Condition, of_claim: Condition, criterion: Criterion, block: Mapping[str, Any], measured: Measured
) -> Iterator[Part]:
    """Yield the numbers of a variant with their words.

    Raises:
        Missing: there is none, and the test is not optional.
    """
    for group in quantities(test, criterion, block["roles"], measured):
        for one in group:
            kind = () if test.bound is None else _of_kind(of_claim, criterion, block["kind"], one, measured)
            quantity = _with_interval(one, kind, test)
            few = test.bound is not None and quantity is None
            quantity = quantity or one._replace(low=-math.inf, high=math.inf)
            stuck = stuck_share(test, criterion, {**block["roles"], **one.names}, measured)
            word = status(test, quantity if stuck is None else one_sided(test, quantity))
            yield Part(test, quantity, word, tuple(one.seeds), few, stuck)


def _with_interval(one: Quantity, kind: Iterable[Quantity], test: Condition) -> Quantity | None:
    """Return a number with the interval that it is judged by; None if it has none."""
    if test.comparison == EQUAL or len(one.seeds) >= FEWEST_SEEDS or not one.seeds:
        return one
    if len(one.seeds) > 1:
        return None
    several = [each.row for each in kind if len(each.seeds) >= FEWEST_SEEDS and each.row.seed_variance is not None]
    if not several:
        return None
    same = [row for row in several if row.entry == one.row.entry]
    ends = ends_of_one(one.row, max(same or several, key=lambda row: row.seed_variance or 0.0))
    if ends is None:
        return None
    low, high = (1 - ends[1], 1 - ends[0]) if one.complement else ends
    return one._replace(low=low, high=high)


def _of_kind(test: Condition, criterion: Criterion, kind: Chosen, one: Quantity, measured: Measured) -> list[Quantity]:
    """Return the same number of the claim itself, of every thing that it judges; none if it has no rows."""
    try:
        found = [each for group in quantities(test, criterion, kind, measured) for each in group]
    except Missing:
        return []
    return [each for each in found if each.complement == one.complement]


def _why_open(part: Part) -> tuple[str, ...]:
    """Return why a number decides less than it seems to: it lacks an interval, or its attack met no gradient."""
    few = f"{part.counted}, and the claim itself has no variance of at least {FEWEST_SEEDS} seeds" if part.few else ""
    return tuple(filter(None, (few, stuck_note([part]))))


def _shortfalls(
    gate: Iterable[Gate], block: Mapping[str, Any], criterion: Criterion, measured: Measured
) -> Iterator[str]:
    """Yield in words what a variant did not learn.

    Raises:
        Missing: a number of the gate has no row.
    """
    for each in gate:
        here = at_eps(each.condition, block["eps"])
        for group in quantities(here, criterion, block["roles"], measured):
            for one in group:
                text = f"{here.name.format(**one.names)} {written(one.value, one.unit, one.digits_beside(here.bound))}"
                if each.within is None:
                    if slack(here, one) < 0:
                        yield f"{text}, asked {required(Part(here, one, '', tuple(one.seeds)))}"
                    continue
                kind = [
                    other.value
                    for others in quantities(each.condition, criterion, block["kind"], measured)
                    for other in others
                ]
                nearest = min(kind, key=lambda value: abs(value - one.value))
                if abs(nearest - one.value) > each.within + ROUNDING:
                    yield f"{text}, against {written(nearest, one.unit)} of its kind"


def counts(variants: Sequence[Variant]) -> str:
    """Return how many variants have each word: "holds 5, turns 2, inconclusive 1 of 8 (1 more not run)"; "" of none."""
    if not variants:
        return ""
    words = Counter(variant.word for variant in variants)
    judged = sum(words[word] for word in COUNTED)
    text = ", ".join(f"{word} {words[word]}" for word in COUNTED if words[word])
    left = ", ".join(
        f"{words[word]}{' more' * (judged > 0)} {word}" for word in (DID_NOT_LEARN, NOT_RUN) if words[word]
    )
    return (f"{text} of {judged}" if judged else "none was judged") + (f" ({left})" if left else "")


def turned(variants: Iterable[Variant]) -> str:
    """Return in a sentence with which changes a claim turns; "" if with none."""
    changes = [
        f"{variant.changed} ({number(variant.part)})" for variant in variants if variant.word == TURNS and variant.part
    ]
    return f"The verdict turns with {listed(changes)}. {EXPLORATORY}." if changes else ""


def in_a_sentence(variant: Variant) -> str:
    """Return a variant with its word, its number and why: "30 epochs, not 15: turns, 20.0 % [15.6, 25.3]"."""
    found = ", ".join(filter(None, (variant.word, number(variant.part) if variant.part else "")))
    return "; ".join((f"{variant.changed}: {found}", *variant.notes))
