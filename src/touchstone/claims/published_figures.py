"""The verdict on a figure that a paper published, from the criteria that scale it down."""

from __future__ import annotations

from collections.abc import Iterable

from touchstone.claims.criteria import Criterion, Published
from touchstone.claims.verdicts import (
    ATTACKERS,
    BY_CONSTRUCTION,
    INCONCLUSIVE,
    NOT_RUN,
    OPPOSITE,
    REPORTED,
    SAME,
    STATUSES,
    Verdict,
    direction,
)  # fmt: skip

NO_DIRECTION = "its criteria measure no direction"


def published(figure: Published, verdicts: Iterable[Verdict]) -> Verdict:
    """Return the verdict on a published figure.

    Only a criterion on the paper's own data and network confirms a figure. Measurements on other data can point in the
    same or in the opposite direction.

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
    itself = [verdict for verdict in run if _at_paper_scale(verdict) and verdict.word != REPORTED]
    if itself:
        deciding = min(itself, key=lambda verdict: STATUSES.index(verdict.word))
        word = deciding.word
    else:
        word, deciding = _direction(run)
    notes = (summary, *([NO_DIRECTION] if word == REPORTED else []))
    parts = sorted(deciding.parts, key=lambda part: direction(part) != word)  # the number that decides stands first
    return Verdict(figure, word, tuple(parts), notes, attacker, None, names)


def _at_paper_scale(verdict: Verdict) -> bool:
    return isinstance(verdict.claim, Criterion) and verdict.claim.paper_scale


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
