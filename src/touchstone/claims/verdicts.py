"""What a verdict is, and the word for one number by its whole interval.

A verdict has two axes: whether a claim holds here, and whether it survives an attacker who knows the defence. How rows
become numbers: measurements.py. What else makes a number inconclusive, such as too few seeds: judged_parts.py. How a
claim's numbers become one verdict: judging.py. The rules in words: docs/verdicts.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from touchstone.claims.criteria import COMPLEMENT, Bound, Condition, Criterion
from touchstone.claims.measurements import EQUAL, Quantity
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE, NO_VERDICT, STATUSES
from touchstone.evaluations.statistics.wording import RANGE, bracketed, limit, written
from touchstone.messages import listed

if TYPE_CHECKING:
    from touchstone.claims.variants import Variant

SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<", EQUAL: "=", "between": "in"}
UP, DOWN = ("at_least", "above"), ("at_most", "below")
# How the names of metrics begin that an attack lowers, and that it raises.
LOWERED = ("accuracy", "robust_accuracy", "attacked_accuracy", "auroc", "aupr")
RAISED = (
    "evasion_rate", "share_wrong", "wrong_rate", "success_rate", "worst_error", "unclipped_error", "rubbish_error", "fpr95",
    "detection_error",
)  # fmt: skip
FEWEST_SEEDS = 3  # with fewer, nothing about networks is decided


@dataclass(frozen=True)
class Part:
    """One number of a claim, and the word for this number only."""

    condition: Condition
    quantity: Quantity
    word: str
    seeds: tuple[int, ...]  # every seed that was judged, also if one of them decides
    few: bool = False  # it has too few seeds to decide
    stuck: float | None = None  # the share of inputs without a gradient, if its attack found none too often
    breaks: bool = False  # meeting the bound breaks the claim
    looks: int = 0  # how many numbers were judged, if that one of so many misses its bound may be chance

    @property
    def bound(self) -> Bound | None:
        """What its condition compares it with."""
        return self.condition.bound

    @property
    def bounds(self) -> tuple[float, ...]:
        """The ends of its bound: none, one, or the two of a range."""
        return () if self.bound is None else self.bound if isinstance(self.bound, tuple) else (self.bound,)

    @property
    def title(self) -> str:
        """What the number is, with the entries that play the roles in its name."""
        return self.condition.name.format(**self.quantity.words)

    @property
    def name(self) -> str:
        """The title, and which of several things or seeds the number is about."""
        return ": ".join(filter(None, (self.title, self.quantity.which, self.decider)))

    @property
    def counted(self) -> str:
        """How many seeds were judged: "1 seed"."""
        return "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"

    @property
    def notes(self) -> tuple[str, ...]:
        """Why the number says less than it seems to."""
        alone = [self]
        few = self.counted if self.few else ""
        chance = f"of {self.looks} numbers, chance alone may let one miss its bound" if self.looks else ""
        without = "it has no interval" if self.word == INCONCLUSIVE and not self.has_interval else ""
        return tuple(filter(None, (few, chance, without, range_note(alone), stuck_note(alone))))

    @property
    def has_interval(self) -> bool:
        """Whether it has at least one end, of an interval or of the range of networks."""
        return any(map(math.isfinite, (self.quantity.low, self.quantity.high)))

    @property
    def decider(self) -> str:
        """The seed that decided, if each seed was judged: "seed 1, the worst of 3"."""
        one_of_many = len(self.quantity.seeds) == 1 < len(self.seeds)
        return f"seed {self.quantity.seeds[0]}, the worst of {len(self.seeds)}" if one_of_many else ""

    @property
    def method(self) -> str:
        """How the ends of its interval were found."""
        return "none" if self.condition.comparison == EQUAL else self.quantity.row.method


@dataclass(frozen=True)
class Verdict:
    """The words for one criterion, the numbers behind them (the one that decided first), and notes.

    Attributes:
        word: whether the claim holds here, one of STATUSES; NO_VERDICT for numbers that were measured.
        attacker: whether it survives an attacker who knows, one of ATTACKERS; NO_VERDICT if nothing was judged.
        holm: whether the word stands if all of the study's claims of papers together may err as often as one; None if it
            is no decision.
        p_value, p_limit: of that decision, two-sided, and what it may be at most by Holm's method.
        variants: the same claim in variants of the experiment, judged; empty unless the study tries them.
    """

    claim: Criterion
    word: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    attacker: str = NO_VERDICT
    holm: bool | None = None
    p_value: float | None = None
    p_limit: float | None = None
    variants: tuple[Variant, ...] = ()


def status(condition: Condition, quantity: Quantity) -> str:
    """Return the word for one number: inconclusive unless its whole interval is on one side of the bound.

    A number without a bound has no word. A number that has to be equal is no estimate: its ends are the least and
    the greatest network, and every one has to meet it. The range of the networks is no interval, so it decides nothing else.
    """
    bound = condition.bound
    if bound is None:
        return NO_VERDICT
    if is_range(condition, quantity):
        return INCONCLUSIVE
    low, high = quantity.low, quantity.high
    least, most = bound if isinstance(bound, tuple) else (bound, bound)
    match condition.comparison:
        case "at_least":
            met, failed = low >= least, high < least
        case "above":
            met, failed = low > least, high <= least
        case "at_most":
            met, failed = high <= most, low > most
        case "below":
            met, failed = high < most, low >= most
        case "between":
            met, failed = low >= least and high <= most, high < least or low > most
        case _:
            met = max(abs(end - least) for end in (low, high)) <= condition.tolerance
            failed = not met
    return HOLDS if met else FAILS if failed else INCONCLUSIVE


def is_range(condition: Condition, quantity: Quantity) -> bool:
    """Return whether a number that is compared has no interval: its ends are the least and the greatest seed."""
    return condition.comparison not in ("", EQUAL) and quantity.row.method == RANGE


def range_note(parts: Sequence[Part]) -> str:
    """Return in words which of a claim's numbers have no interval; "" if all have one."""
    ranges = [part for part in parts if is_range(part.condition, part.quantity)]
    names = dict.fromkeys(part.title for part in ranges)
    subject = "the brackets" if len(parts) == 1 else f"the brackets of {', '.join(names)}"
    # Only differences that were resampled state their images.
    alone = any(part.quantity.row.images is not None for part in ranges)
    why = ": one side is a single network, whose variance is unknown" if alone else ""
    return f"{subject} are the least and the greatest seed, not an interval{why}" if names else ""


def is_difference(quantity: Quantity) -> bool:
    """Return whether a number is a difference of two."""
    return quantity.unit.startswith("difference")


def is_raised(condition: Condition) -> bool:
    """Return whether a better attack would raise a condition's number, such as an error, instead of lowering it."""
    metric = condition.rows.metric
    return metric.removeprefix(COMPLEMENT).startswith(RAISED) != metric.startswith(COMPLEMENT)


def stuck_note(parts: Sequence[Part]) -> str:
    """Return in words which of a claim's numbers rest on stuck attacks; "" if none does."""
    stuck = [(part.name, part.stuck) for part in parts if part.stuck is not None]
    if not stuck:
        return ""
    shares = sorted(share for _, share in stuck)
    least_to_most = " to ".join(dict.fromkeys(f"{share:.0%}" for share in (shares[0], shares[-1])))
    what = f"{listed([name for name, _ in stuck])}: " if len(parts) > 1 else ""
    return f"{what}its attack met no gradient on {least_to_most} of the images"


def slack(condition: Condition, quantity: Quantity) -> float:
    """Return by how much the value, without its interval, meets the bound; negative if it does not."""
    bound = condition.bound
    if bound is None:
        return 0.0
    least, most = bound if isinstance(bound, tuple) else (bound, bound)
    value = quantity.value
    match condition.comparison:
        case "at_least":
            return value - least
        case "above":
            return value - least if value != least else -math.ulp(1.0)
        case "at_most":
            return most - value
        case "below":
            return most - value if value != most else -math.ulp(1.0)
        case "between":
            return min(value - least, most - value)
        case _:
            return condition.tolerance - abs(value - least)


def weakness(part: Part) -> tuple[int, float]:
    """Return a sort key: the weakest number first."""
    return STATUSES.index(part.word), slack(part.condition, part.quantity)


def sentence(part: Part) -> str:
    """Return a number with its interval and its bound: "clean accuracy 91.4 % [88.0, 94.1], asked ≥ 95 %"."""
    text = f"{part.name} {number(part)}"
    bound = required(part)
    return f"{text}, {bound if part.breaks else f'asked {bound}'}" if bound else text


def required(part: Part) -> str:
    """Return the bound of a number in words, "≥ 85 %", or "broken if < 20 %" for a number that breaks its claim."""
    if not part.bounds:
        return ""
    text = ", ".join(limit(end, part.quantity.unit) for end in part.bounds)
    sign = f"broken if {SIGNS[part.condition.comparison]}" if part.breaks else SIGNS[part.condition.comparison]
    return f"{sign} {f'[{text}]' if len(part.bounds) > 1 else text}"


def number(part: Part) -> str:
    """Return a number with its interval: "91.4 % [88.0, 94.1]"; no rounding hides on which side of its bound it is."""
    return bounded(part.quantity, part.quantity.digits_beside(part.bound))


def bounded(quantity: Quantity, more: int = 0) -> str:
    """Return a value with its interval: "91.4 % [88.0, 94.1]"."""
    low, high = (end if math.isfinite(end) else None for end in (quantity.low, quantity.high))
    ends = bracketed(low, high, quantity.unit, more, quantity.row.method)
    return f"{written(quantity.value, quantity.unit, more)} {ends}".rstrip()
