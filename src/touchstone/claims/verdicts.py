"""What a verdict is, and the word for one number by its whole interval.

A verdict has two axes: whether a claim holds here, and whether it survives an attacker who knows the defence. How rows
become numbers: measurements.py. What else makes a number inconclusive, such as too few seeds: judged_parts.py. How a
claim's numbers become one verdict: judging.py. The rules in words: docs/verdicts.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from touchstone.claims.criteria import MET, Bound, Condition, Criterion, Published
from touchstone.claims.measurements import EQUAL, Quantity
from touchstone.evaluations.statistics.wording import RANGE, bracketed, limit, written
from touchstone.messages import listed

# Axis 1: does the claim hold here?
CONFIRMED, BY_CONSTRUCTION = MET
INCONCLUSIVE, NOT_CONFIRMED, REPORTED, NOT_RUN = "inconclusive", "not confirmed", "reported", "not run"
SAME, OPPOSITE = "same direction", "opposite direction"  # of published figures on other data or another network
# If several apply, the first is the word: a claim is as good as the weakest of what it asks for.
STATUSES = (BY_CONSTRUCTION, NOT_CONFIRMED, OPPOSITE, NOT_RUN, INCONCLUSIVE, CONFIRMED, SAME, REPORTED)
# Axis 2: does it survive an attacker who knows? The worst first.
BROKEN, UPPER_BOUND, OPEN, NOT_ATTACKED = "broken", "upper bound only", "undecided", "not attacked"
SURVIVES, DOES_NOT_APPLY = "survives", "does not apply"
ATTACKERS = (BROKEN, UPPER_BOUND, OPEN, NOT_ATTACKED, SURVIVES, DOES_NOT_APPLY)
SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<", EQUAL: "=", "between": "in"}
UP, DOWN = ("at_least", "above"), ("at_most", "below")
FEWEST_SEEDS = 3  # with fewer, nothing about networks is decided
MISSING = "missing: "  # how the first note begins if the study asks a claim but lacks the rows for it


class Stuck(NamedTuple):
    """That attacks behind a number found no gradient too often.

    Attributes:
        share: of the inputs, at the attack that it befell most.
        first: whether it befell the attack on the number; of a difference, on what the other is subtracted from.
        subtracted: of a difference, whether it befell the attack on what is subtracted.
    """

    share: float
    first: bool = True
    subtracted: bool = True

    @property
    def of_difference(self) -> str:
        """What is wrong with a difference, in words."""
        if self.first and self.subtracted:
            return "a difference between stuck attacks"
        way, which = ("lower", "first") if self.first else ("higher", "second")
        return f"a difference that may be {way}, as its {which} attack was stuck"


@dataclass(frozen=True)
class Part:
    """One number of a claim, its bound, and the word for this number only."""

    condition: Condition
    bound: Bound | None
    quantity: Quantity
    word: str
    seeds: tuple[int, ...]  # every seed that was judged, also if one of them decides
    few: bool = False  # it has too few seeds to decide
    stuck: Stuck | None = None  # its attacks, if one found no gradient too often
    certified: Quantity | None = None  # what bounds prove the truth to be at least, if the attack was stuck
    breaks: bool = False  # meeting the bound breaks the claim

    @property
    def title(self) -> str:
        """What the number is, with the entries that play the roles in its name."""
        return self.condition.name.format(**self.quantity.names)

    @property
    def name(self) -> str:
        """The title, and which of several things or seeds the number is about."""
        return ": ".join(filter(None, (self.title, self.quantity.which, self.decider)))

    @property
    def proved(self) -> bool:
        """Whether bounds on the networks decided, and not an attack."""
        return self.certified is not None and self.word == CONFIRMED

    @property
    def counted(self) -> str:
        """How many seeds were judged: "1 seed"."""
        return "1 seed" if len(self.seeds) == 1 else f"{len(self.seeds)} seeds"

    @property
    def notes(self) -> tuple[str, ...]:
        """Why the number says less than it seems to."""
        alone = [self]
        few = self.counted if self.few else ""
        return tuple(filter(None, (few, range_note(alone), stuck_note(alone), proof_note(alone))))

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
    """The words for one claim, the numbers behind them (the one that decided first), and notes.

    Attributes:
        word: whether the claim holds here, one of STATUSES.
        attacker: whether it survives an attacker who knows, one of ATTACKERS.
        holm: whether the word stands if all of the study's paper claims together may err as often as one; None if it
            is no decision.
        judged_by: of a published figure, the criteria that scale it down.
        itself: of a criterion, the published figures that it measures on the paper's own data and network.
    """

    claim: Published | Criterion
    word: str
    parts: tuple[Part, ...] = ()
    notes: tuple[str, ...] = ()
    attacker: str = DOES_NOT_APPLY
    holm: bool | None = None
    judged_by: tuple[str, ...] = ()
    itself: tuple[str, ...] = ()

    @property
    def missing(self) -> bool:
        """Whether the study asks the claim but lacks the rows for it."""
        return bool(self.notes) and self.notes[0].startswith(MISSING)


def status(condition: Condition, bound: Bound | None, quantity: Quantity) -> str:
    """Return the word for one number: inconclusive unless its whole interval is on one side of the bound.

    A number without a comparison is reported. A number that has to be equal is no estimate: its ends are the least and
    the greatest network, and every one has to meet it. The range of the networks is no interval, so it decides nothing else.
    """
    if not condition.comparison or bound is None:
        return REPORTED
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
    return CONFIRMED if met else NOT_CONFIRMED if failed else INCONCLUSIVE


def is_range(condition: Condition, quantity: Quantity) -> bool:
    """Return whether a number that is compared has no interval: its ends are the least and the greatest seed."""
    return condition.comparison not in ("", EQUAL) and quantity.row.method == RANGE


def range_note(parts: Sequence[Part]) -> str:
    """Return in words which of a claim's numbers have no interval; "" if all have one."""
    names = [part.title for part in parts if is_range(part.condition, part.quantity)]
    subject = "the brackets" if len(parts) == 1 else f"the brackets of {', '.join(dict.fromkeys(names))}"
    return f"{subject} are the least and the greatest seed, not an interval" if names else ""


def is_difference(quantity: Quantity) -> bool:
    """Return whether a number is a difference of two."""
    return quantity.unit.startswith("difference")


def ends_if_stuck(quantity: Quantity, stuck: Stuck, certified: Quantity | None = None) -> tuple[float, float]:
    """Return where a number may lie whose attack was stuck.

    It may be lower, but not below what is certified. A difference of two may be higher if the attack on what is subtracted
    was stuck.
    """
    least = -math.inf if certified is None else certified.low
    higher = stuck.subtracted and is_difference(quantity)
    return (least if stuck.first else quantity.low), (math.inf if higher else quantity.high)


def stuck_note(parts: Sequence[Part]) -> str:
    """Return in words which of a claim's numbers rest on stuck attacks and are not proved; "" if none does."""
    stuck = [(part, part.stuck) for part in parts if part.stuck is not None and not part.proved]
    if not stuck:
        return ""
    if len(stuck) > 1:
        what = f"{listed([part.name for part, _ in stuck])} rest on stuck attacks"
    else:
        ((part, one),) = stuck
        what = one.of_difference if is_difference(part.quantity) else "an upper bound"
        what = f"{part.name}: {what}" if len(parts) > 1 else what
    shares = sorted(one.share for _, one in stuck)
    least_to_most = " to ".join(dict.fromkeys(f"{share:.0%}" for share in (shares[0], shares[-1])))
    return f"{what}: on {least_to_most} of the attacked OOD images the score's own gradient is 0"


def proof_note(parts: Sequence[Part]) -> str:
    """Return in words which of a claim's numbers bounds on the networks decided; "" if they decided none."""
    numbers = [f"{part.title} at least {bounded(part.certified)}" for part in parts if part.certified and part.proved]
    return f"proved by bounds on the networks, whatever the attack: {', '.join(numbers)}" if numbers else ""


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
    return STATUSES.index(part.word), slack(part.condition, part.bound, part.quantity)


def sentence(part: Part) -> str:
    """Return a number with its interval and its bound: "clean accuracy 91.4 % [88.0, 94.1], asked ≥ 95 %"."""
    text = f"{part.name} {number(part)}"
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


def number(part: Part) -> str:
    """Return a number with its interval: "91.4 % [88.0, 94.1]"; no rounding hides on which side of its bound it is."""
    return bounded(part.quantity, part.quantity.digits_beside(part.bound))


def bounded(quantity: Quantity, more: int = 0) -> str:
    """Return a value with its interval: "91.4 % [88.0, 94.1]"."""
    low, high = (end if math.isfinite(end) else None for end in (quantity.low, quantity.high))
    return f"{written(quantity.value, quantity.unit, more)} {bracketed(low, high, quantity.unit, more)}".rstrip()
