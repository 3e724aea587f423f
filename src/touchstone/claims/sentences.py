"""What a criterion found, as the sentence that its claims.yaml writes."""

from __future__ import annotations

from collections.abc import Iterable
from string import Formatter

from touchstone.claims.criteria import Criterion
from touchstone.claims.verdicts import Part, Verdict, number, required, slack
from touchstone.claims.words import INCONCLUSIVE
from touchstone.messages import listed

NOT_MEASURED = "not measured"
EACH = "each"  # after the number of a place, {0:each}
LIMITS = ("at least ", "at most ")  # words before a number that promise the same of the others


def said(verdict: Verdict) -> str:
    """Return what a criterion found, as a sentence with its numbers; "" if nothing was measured.

    Without a sentence of its own, it is what was measured and every number. Of several things that a test judges, it is
    the weakest, by its name, or each of them where the sentence has {0:each}. After "at least" and "at most" it is the one
    that is farthest from its bound, and of those that break the claim the one that does so most. A number without a bound
    is of the thing that decides, or of each thing if none decides. What a number is of is said once, as long as the
    numbers behind it are of the same.
    """
    criterion = verdict.claim
    if not verdict.parts:
        return ""
    if not criterion.says:
        numbers = "; ".join(f"{part.name} {number(part)}" for part in verdict.parts)
        return f"{criterion.setting}: {numbers}"
    text, which = "", ""
    for before, place, how, _ in Formatter().parse(criterion.says):
        found = shown_at(place, criterion, verdict.parts, how or "") if place else []
        text += before + (
            listed([_text(part, "" if how else which) for part in found]) or NOT_MEASURED if place else ""
        )
        which = found[0].quantity.which if len(found) == 1 else which
    return text


def shown_at(place: str, criterion: Criterion, parts: Iterable[Part], how: str = "") -> list[Part]:
    """Return the number at a place of a criterion's sentence, or that of each thing if none decides; [] if not measured.

    Args:
        place: the number of a test, or "breaks".
        criterion: with its sentence.
        parts: the numbers, the weakest first.
        how: EACH for the number of each thing, even if one decides.
    """
    parts = list(parts)
    condition = criterion.breaks if place == "breaks" else criterion.tests[int(place)]
    own = [part for part in parts if part.condition is condition]
    if how == EACH:
        return sorted(own, key=lambda part: part.quantity.which)  # the same order wherever a sentence lists them
    if all(part.bound is None for part in own):
        deciding = _deciding(parts)
        same = [part for part in own if deciding and _of_the_same(part, deciding)]
        return same[:1] or (own[:1] if deciding else own)
    before = (text for text, name, *_ in Formatter().parse(criterion.says) if name == place)
    if place == "breaks" or any(text.endswith(LIMITS) for text in before):
        # Its value counts and not its word, so that the limit holds for the other numbers, too.
        return sorted(own, key=_met_by)[:1]
    return own[:1]


def _deciding(parts: list[Part]) -> Part | None:
    """Return the weakest number with a bound that decides the claim; None if nothing has a bound."""
    return next((part for part in parts if part.bound is not None and not part.breaks), None)


def _of_the_same(part: Part, other: Part) -> bool:
    """Return whether the same entries play the roles that both numbers name."""
    names, others = part.quantity.names, other.quantity.names
    return all(names[role] == others[role] for role in names.keys() & others.keys())


def open_because(verdict: Verdict) -> str:
    """Return why an inconclusive verdict decides neither way, with the number that leaves it open; "" for other words."""
    if verdict.word != INCONCLUSIVE or not verdict.parts:
        return ""
    part = verdict.parts[0]
    if part.notes:
        return f"{part.name}: {'; '.join(part.notes)}"
    return f"the interval of {part.name} lies on both sides of the bound ({required(part)})"


def _met_by(part: Part) -> float:
    met = slack(part.condition, part.quantity)
    return -met if part.breaks else met


def _text(part: Part, before: str) -> str:
    """Return a number, and what it is of unless that stands `before`."""
    which = part.quantity.which
    return f"{number(part)} ({which})" if which and which != before else number(part)
