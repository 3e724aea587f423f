"""The verdict on a figure that a paper published, from the criteria that scale it down."""

from __future__ import annotations

from collections.abc import Iterable

from touchstone.claims.criteria import Criterion, Published
from touchstone.claims.verdicts import (
    ATTACKERS,
    BY_CONSTRUCTION,
    CONFIRMED,
    DOWN,
    FEWEST_SEEDS,
    INCONCLUSIVE,
    NOT_RUN,
    OPPOSITE,
    REPORTED,
    SAME,
    STATUSES,
    UP,
    Part,
    Verdict,
    ends_if_stuck,
    is_difference,
    is_range,
)  # fmt: skip

NO_DIRECTION = "its criteria measure no direction"


def no_effect(part: Part) -> float | None:
    """Return the value that means no effect: the condition's own, else 0 for differences; None if there is none."""
    if part.condition.no_effect is not None:
        return part.condition.no_effect
    return 0.0 if is_difference(part.quantity) else None


def direction(part: Part) -> str:
    """Return whether a number points where the paper's figure does, by its whole interval; "" if it has no direction.

    The direction ends where there is no effect.
    """
    condition, turn = part.condition, no_effect(part)
    if turn is None or condition.comparison not in (*UP, *DOWN):
        return ""
    if 0 < len(part.seeds) < FEWEST_SEEDS or is_range(condition, part.quantity):
        return INCONCLUSIVE
    low, high = part.quantity.low, part.quantity.high
    if part.stuck is not None:
        low, high = ends_if_stuck(part.quantity, part.stuck, part.certified)
    above, below = low > turn, high < turn
    if not (above or below):
        return INCONCLUSIVE
    return SAME if above == (condition.comparison in UP) else OPPOSITE


def published(figure: Published, verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a published figure.

    Only numbers on the paper's own data and network confirm a figure. Others can point in the same or in the opposite
    direction.

    Args:
        figure: that a paper states.
        verdicts: of the criteria.
    """
    own = [
        verdict for verdict in verdicts if isinstance(verdict.claim, Criterion) and figure.id in verdict.claim.scales
    ]
    if not own:
        return Verdict(figure, NOT_RUN, notes=(figure.unmeasured or "no criterion scales it down",))
    names = tuple(verdict.claim.id for verdict in own)
    summary = "; ".join(f"{verdict.claim.id} {verdict.word}" for verdict in own)
    run = [verdict for verdict in own if verdict.word != NOT_RUN]
    if not run:
        return Verdict(figure, NOT_RUN, notes=(summary, *own[0].notes), judged_by=names)
    attacker = min((verdict.attacker for verdict in run), key=ATTACKERS.index)
    itself = [(word, verdict) for verdict in run if (word := _own_word(figure, verdict)) != REPORTED]
    word, deciding = min(itself, key=lambda pair: STATUSES.index(pair[0])) if itself else _direction(run)
    notes = (summary, *([NO_DIRECTION] if word == REPORTED else []))
    own_parts = _own_parts(figure, deciding)
    # The number that decides stands first.
    parts = sorted(deciding.parts, key=lambda part: part not in own_parts if itself else direction(part) != word)
    return Verdict(figure, word, tuple(parts), notes, attacker, None, names)


def _own_parts(figure: Published, verdict: Verdict) -> list[Part]:
    """Return the numbers of a criterion that are of a figure's own data and network."""
    criterion = verdict.claim
    if not isinstance(criterion, Criterion) or figure.id not in verdict.itself:
        return []
    tests = criterion.paper_scale[figure.id].tests or criterion.tests
    return [part for part in verdict.parts if any(part.condition is test for test in tests)]


def _own_word(figure: Published, verdict: Verdict) -> str:
    """Return the word of the numbers that measure a figure itself; "reported" if none does."""
    words = [part.word for part in _own_parts(figure, verdict)]
    if verdict.word == REPORTED or not words:
        return REPORTED
    weakest = min(words, key=STATUSES.index)
    return verdict.claim.met if weakest == CONFIRMED and isinstance(verdict.claim, Criterion) else weakest


def _direction(verdicts: list[Verdict]) -> tuple[str, Verdict]:
    """Return the direction of several criteria: that of the weakest number, and the verdict that holds it."""
    words = {BY_CONSTRUCTION: BY_CONSTRUCTION}
    found: list[tuple[str, Verdict]] = []
    for verdict in verdicts:
        pointing = {direction(part) for part in verdict.parts if not part.breaks} - {""}
        if verdict.word in words:
            found.append((verdict.word, verdict))
        found += [(word, verdict) for word in pointing]
    order = (OPPOSITE, INCONCLUSIVE, SAME, BY_CONSTRUCTION)
    return min(found, key=lambda pair: order.index(pair[0]), default=(REPORTED, verdicts[0]))
