"""The word for one number: confirmed, inconclusive or not confirmed, by its whole interval; and what a verdict is.

`status` decides. How rows become numbers: measurements.py. How a claim's numbers become one verdict: judging.py.
The rules in words: docs/verdicts.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from touchstone.claims.criteria import Bound, Condition, Criterion, Published
from touchstone.claims.measurements import COMPLEMENT, Quantity
from touchstone.records.metric_rows import MetricRow
from touchstone.statistics.wording import bracketed, limit, written

CONFIRMED, INCONCLUSIVE, NOT_CONFIRMED = "confirmed", "inconclusive", "not confirmed"
BY_CONSTRUCTION, BROKEN = "true by construction", "broken by adaptive attack"
OUT_OF_SCALE, REPORTED, NOT_RUN = "not reproducible at this scale", "reported", "not run"
# If several apply, the first is the word: a claim is as good as the weakest of what it asks for.
STATUSES = (
    BROKEN, BY_CONSTRUCTION, OUT_OF_SCALE, NOT_CONFIRMED, NOT_RUN, INCONCLUSIVE, CONFIRMED, REPORTED,
)  # fmt: skip
SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<", "equals": "=", "between": "in"}
MISSING = "missing: "  # how the first note begins if the study asks a claim but lacks the rows for it


@dataclass(frozen=True)
class Part:
    """One number of a claim, its bound, and the word for this number only."""

    condition: Condition
    bound: Bound | None
    quantity: Quantity
    word: str
    seeds: tuple[int, ...]  # every seed that was judged, also if one of them decides
    note: str = ""  # why the number says less than it seems to
    breaks: bool = False  # meeting the bound breaks the claim
    rows: tuple[MetricRow, ...] = ()  # of everything that was judged, also of seeds that did not decide

    @property
    def title(self) -> str:
        """What the number is, with the entries that play the roles in its name."""
        return self.condition.name.format(**self.quantity.names)

    @property
    def name(self) -> str:
        """The title, and which of several things or seeds the number is about."""
        return ": ".join(filter(None, (self.title, self.quantity.which, self.decider)))

    @property
    def decider(self) -> str:
        """The seed that decided, if each seed was judged: "seed 1, the worst of 3"."""
        one_of_many = len(self.quantity.seeds) == 1 < len(self.seeds)
        return f"seed {self.quantity.seeds[0]}, the worst of {len(self.seeds)}" if one_of_many else ""


@dataclass(frozen=True)
class Verdict:
    """The status word of one claim, the numbers behind it (the one that decided first), and notes."""

    claim: Published | Criterion
    word: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    judged_by: tuple[str, ...] = ()  # of a published claim: the criteria that scale it down
    unattacked: bool = False  # no adaptive attack that could break it was run

    @property
    def missing(self) -> bool:
        """Whether the study asks the claim but lacks the rows for it."""
        return bool(self.notes) and self.notes[0].startswith(MISSING)


def status(condition: Condition, bound: Bound | None, quantity: Quantity) -> str:
    """Return the word for one number: inconclusive unless its whole interval is on one side of the bound.

    A number without a comparison is reported. A number that has to be equal is no estimate: its ends are the least and
    the greatest seed (measurements.py), and every seed has to meet it.
    """
    if not condition.comparison or bound is None:
        return REPORTED
    low, high = quantity.low, quantity.high
    least, most = bound if isinstance(bound, tuple) else (bound, bound)
    match condition.comparison:
        case "at_least":
            met, failed = low >= least, high < least
        case "above":
            met, failed = low > least or bool(proof_above_zero(condition, bound, quantity)), high <= least
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


def proof_above_zero(condition: Condition, bound: Bound | None, quantity: Quantity) -> str:
    """Return, in words, which seeds show that a share is above 0; "" if the mean decides or no seed does.

    No share is below 0. So if the whole interval of one seed is above 0, the mean over seeds is too.
    """
    about_zero = condition.comparison == "above" and bound == 0 and condition.minus is None
    if (
        not about_zero
        or quantity.unit != "fraction"
        or condition.rows.metric.startswith(COMPLEMENT)
        or quantity.low > 0
    ):
        return ""
    seeds = sorted(str(row.seed) for row in quantity.rows if row.low is not None and row.low > 0)
    if not seeds:
        return ""
    return f"one success is enough, and there are some on seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}"


def slack(condition: Condition, bound: Bound | None, quantity: Quantity) -> float:
    """Return by how much the value, without its interval, meets the bound; negative if it does not."""
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


def weakness(part: Part) -> tuple[int, float]:
    """Return a sort key: the weakest number first."""
    return STATUSES.index(part.word), slack(part.condition, part.bound, part.quantity)


def sentence(part: Part) -> str:
    """Return a number with its interval and its bound: "clean accuracy 91.4 % [88.0, 94.1], asked ≥ 95 %"."""
    unit = part.quantity.unit
    low, high = (end if math.isfinite(end) else None for end in (part.quantity.low, part.quantity.high))
    text = f"{part.name} {written(part.quantity.value, unit)} {bracketed(low, high, unit)}".rstrip()
    bound = required(part)
    return f"{text}, {bound if part.breaks else f'asked {bound}'}" if bound else text


def required(part: Part) -> str:
    """Return the bound of a number in words, "≥ 85 %", or "broken if < 20 %" for a number that breaks its claim."""
    if not part.condition.comparison or part.bound is None:
        return ""
    ends = part.bound if isinstance(part.bound, tuple) else (part.bound,)
    text = ", ".join(limit(end, part.quantity.unit) for end in ends)
    sign = f"broken if {SIGNS[part.condition.comparison]}" if part.breaks else SIGNS[part.condition.comparison]
    return f"{sign} {f'[{text}]' if len(ends) > 1 else text}"
