"""Whether each decision about a paper's claims stands when all of them are taken together (Holm 1979)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from touchstone.claims.criteria import CLAIM, Criterion
from touchstone.claims.measurements import EQUAL
from touchstone.claims.verdicts import DOWN, UP, Part, Verdict
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE
from touchstone.evaluations.statistics import seed_intervals
from touchstone.evaluations.statistics.rows import ends_of

Judged = Sequence[
    tuple[Part, tuple[float, float]]
]  # with the one-sided p-values of meeting the bound and of missing it
DECIDED = (HOLDS, FAILS)
LEVEL = 1 - seed_intervals.CONFIDENCE


def with_holm(verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
    """Return the verdicts, each decision on a paper's claim with whether it stands.

    The family is every paper claim of the study that has a bound and an interval, decided or not. A claim that chance does
    not decide stands, and changes nothing for the others.
    """
    p_values = {name: p for name, verdict in verdicts.items() if (p := _p_value(verdict)) is not None}
    stands = seed_intervals.holm(p_values, LEVEL)
    limits = {name: LEVEL / (len(p_values) - place) for place, name in enumerate(stands)}  # the smallest first
    return {
        name: replace(verdict, holm=stands[name], p_value=p_values[name], p_limit=limits[name])
        if name in stands and verdict.word in DECIDED
        else verdict
        for name, verdict in verdicts.items()
    }


def _p_value(verdict: Verdict) -> float | None:
    """Return the two-sided p-value of a decision, 1 if nothing was decided; None if the claim is not in the family."""
    criterion = verdict.claim
    if criterion.kind != CLAIM:
        return None
    if verdict.word not in (*DECIDED, INCONCLUSIVE):
        return None
    judged = [(part, side) for part in verdict.parts if not part.breaks and (side := _sides(part)) is not None]
    if not judged:
        return None
    if verdict.word == INCONCLUSIVE:
        return 1.0
    if verdict.word == HOLDS:  # every number has to meet its bound
        return min(1.0, 2 * max(met for _, (met, _) in judged))
    return _p_of_failing(criterion, judged)


def by_chance(criterion: Criterion, parts: Iterable[Part]) -> int:
    """Return among how many numbers one misses its bound, if chance alone may let one of so many do so; else 0.

    One number that misses its bound is enough for a claim to fail, also if it is that of the worst seed. Each may miss it
    in 5 % of all cases, so all of them together have to err no oftener.
    """
    judged = [(part, side) for part in parts if not part.breaks and (side := _sides(part)) is not None]
    looks = _looks(criterion, judged)
    return looks if looks > 1 and _p_of_failing(criterion, judged) > LEVEL else 0


def _p_of_failing(criterion: Criterion, judged: Judged) -> float:
    return min(1.0, 2 * _looks(criterion, judged) * min(missed for _, (_, missed) in judged))


def _looks(criterion: Criterion, judged: Judged) -> int:
    """Return how many numbers may miss their bound by chance."""
    estimates = [part for part, _ in judged if part.condition.comparison != EQUAL]
    return sum(len(part.seeds) if criterion.each_seed else 1 for part in estimates)


def _sides(part: Part) -> tuple[float, float] | None:
    """Return the one-sided p-values of a number meeting its bound, and of its missing it; None if it has no interval.

    Chance has no part in whether a number is equal to another one.
    """
    comparison = part.condition.comparison
    if comparison == EQUAL and part.bound is not None:
        return (0.0, 1.0) if part.word == HOLDS else (1.0, 0.0)
    quantity = part.quantity
    if part.bound is None or comparison not in (*UP, *DOWN, "between") or ends_of(quantity.row, 0.5) is None:
        return None

    def find_ends(confidence: float) -> tuple[float, float]:
        low, high = ends_of(quantity.row, confidence) or (0.0, 0.0)
        return (1 - high, 1 - low) if quantity.complement else (low, high)

    least, most = part.bound if isinstance(part.bound, tuple) else (part.bound, part.bound)
    above_least = seed_intervals.p_value(find_ends, least, above=True)
    below_most = seed_intervals.p_value(find_ends, most, above=False)
    if comparison == "between":
        missed = min(
            seed_intervals.p_value(find_ends, most, above=True), seed_intervals.p_value(find_ends, least, above=False)
        )
        return max(above_least, below_most), missed
    return (above_least, below_most) if comparison in UP else (below_most, above_least)
