"""The published figures, and the claims and numbers fixed for them before any run. paper_files.py reads them from papers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from string import Formatter
from typing import NamedTuple

# What a criterion is: a claim of the paper; the opposite of it, which we claim; or numbers without bound and verdict.
CLAIM, COUNTER, NUMBER = KINDS = ("claim", "counter", "number")
COMPARISONS = ("at_least", "at_most", "above", "below", "between", "equals")
# Where the bound of a claim may come from.
ORIGINS = {"figure": "a figure of the paper", "half": "half of a figure of the paper",
           "midpoint": "the midpoint of two figures of the paper", "direction": "the direction that the paper claims",
           "ours": "our choice"}  # fmt: skip
MANY = ("each", "mean")  # entries that are judged one by one, entries that are averaged before they are judged
MARKS = {"P": "read in published text", "C": "read in released code", "R": "read in the public review",
         "K": "from notes, not read again"}  # fmt: skip
SHARED = "shared"  # the `system` of an evaluation that belongs to no paper

COMPLEMENT = "1 - "  # "1 - robust_accuracy" is a number computed from the metric robust_accuracy
LESS = " less "  # "SET/ATTACK less OTHER" names the inputs of a difference, and what is subtracted

Bound = float | tuple[float, float]
Chosen = Mapping[str, str | list[str]]  # {role: entry}, or {role: entries} if several play it


def roles_in(text: str) -> list[str]:
    """Return the roles that a text names: "{net}+{detector}" -> net, detector."""
    return [name for _, name, _, _ in Formatter().parse(text) if name]


@dataclass(frozen=True)
class Published:
    """A figure as its paper states it; `marks` say what was read: P text, C code, R review thread, K notes."""

    id: str
    paper: str
    setting: str
    figure: str
    source: str
    marks: tuple[str, ...]
    unmeasured: str = ""  # why no measurement of ours bears on it; else a criterion does


class RowQuery(NamedTuple):
    """Which metric rows a condition needs, whatever the study calls its entries: {net} is the entry with the role net.

    Attributes:
        evaluation: the component, not the study's name for it.
        metric: "1 - robust_accuracy" is the error; a paired difference is a metric of its own, "auroc_minus_{msp}".
        threat: the budget that the row's threat model must state, such as eps.
    """

    evaluation: str
    metric: str
    entry: str
    examples: str
    threat: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Condition:
    """A number computed from rows, and its bound.

    Attributes:
        name: what the number is called; {net} is the entry with the role net.
        comparison: one of COMPARISONS; "" if the number is only reported.
        bound: the number that it is compared with, or two for "between"; None if it is only reported.
        tolerance: of "equals".
        distance: how far beyond its bound the truth has to be for the claim to be worth settling (`touchstone power`).
        optional: skip the condition for each thing whose row is missing.
        consequence: what follows if this condition breaks its claim, in words.
        stuck: the share of inputs at which the attack found no gradient, and its bound. Above the bound the attack was
            stuck, so a better one may lower the number, or raise an error (docs/papers/shared.md, "Checks of an attack").
            Of a difference between two networks, the shares of both attacks; a note says so.
    """

    name: str
    rows: RowQuery
    comparison: str = ""
    bound: Bound | None = None
    tolerance: float = 0.0
    distance: float = 0.0
    optional: bool = False
    consequence: str = ""
    stuck: tuple[Condition, ...] = ()

    @property
    def roles(self) -> list[str]:
        """The roles that its rows name, each once."""
        texts = (self.rows.metric, self.rows.entry, self.rows.examples)
        return list(dict.fromkeys(name for text in texts for name in roles_in(text)))


class Role(NamedTuple):
    """The section whose entries may play a role, and how many do: "each" or "mean" of several, "" for a single one."""

    section: str
    many: str


class Revision(NamedTuple):
    """A criterion before it was changed: when, what it said, why, and whether a run's outcome was already known."""

    date: str
    was: str
    why: str
    known: bool


class Origin(NamedTuple):
    """Where the bound of a claim comes from.

    Attributes:
        kind: a key of ORIGINS.
        source: the paper's figure with its place, or our reason.
        known: whether the outcome was known when the bound was fixed, from an earlier edition or a pilot.
    """

    kind: str
    source: str
    known: bool = False

    def __str__(self) -> str:
        known = "; the outcome was known when it was fixed" if self.known else ""
        return f"{ORIGINS[self.kind]}: {self.source}{known}"


@dataclass(frozen=True)
class Criterion:
    """A claim or numbers: what is measured, and the bounds of a claim, fixed before any run."""

    id: str
    paper: str
    setting: str
    text: str
    scales: tuple[str, ...]  # the published figures that it is about
    roles: Mapping[str, Role]
    tests: tuple[Condition, ...]
    needs: tuple[Condition, ...]  # unless these are met, the claim is not judged
    breaks: Condition | None  # if met, it breaks the criteria that name it in `broken_by`; None: if its tests are met
    broken_by: tuple[str, ...]
    each_seed: bool
    together: tuple[str, ...]  # "each" roles whose entries go in pairs: the first with the first, ...
    says: str = ""  # the result as a sentence; {0} is the number of the first test, {breaks} that of `breaks`
    kind: str = CLAIM  # one of KINDS
    origin: Origin | None = None  # of its bound; None for numbers
    survives_if: tuple[Condition, ...] = ()  # unless all are met, the best word for the attacker is "upper bound only"
    revised: tuple[Revision, ...] = ()  # the oldest first

    @property
    def known(self) -> bool:
        """Whether an outcome was known when its bound was fixed, or when it was changed."""
        return bool(self.origin and self.origin.known) or any(change.known for change in self.revised)

    @property
    def changes(self) -> list[tuple[Revision, str]]:
        """Every change, the oldest first, with what the criterion said after it."""
        texts = (*(change.was for change in self.revised), self.text)
        return list(zip(self.revised, texts[1:], strict=True))

    @property
    def conditions(self) -> dict[tuple[str, ...], Condition]:
        """Every condition by the keys that lead to it: tests, needs, and what else is asked of them."""
        listed = {"tests": self.tests, "needs": self.needs, "survives_if": self.survives_if}
        conditions: dict[tuple[str, ...], Condition] = {
            (part, str(index)): each for part, group in listed.items() for index, each in enumerate(group)
        }
        if self.breaks:
            conditions["breaks",] = self.breaks
        stuck = {
            (*place, "stuck", *["of what is subtracted"] * side): one
            for place, each in conditions.items()
            for side, one in enumerate(each.stuck)
        }
        return conditions | stuck


def assignments(condition: Condition, criterion: Criterion, chosen: Chosen, many: str) -> Iterator[dict[str, str]]:
    """Yield {role: entry} for the roles that a condition names, one for each combination of entries of `many` roles."""
    names: dict[str, str] = {}
    axes: list[list[dict[str, str]]] = []
    for role in condition.roles:
        entries = chosen[role]
        if not isinstance(entries, list):
            names[role] = entries
        elif criterion.roles[role].many == many and role not in criterion.together:
            axes.append([{role: entry} for entry in entries])
    side_by_side = [role for role in criterion.together if role in condition.roles and many == "each"]
    if side_by_side:
        columns = [chosen[role] for role in side_by_side]
        axes.append([dict(zip(side_by_side, row, strict=True)) for row in zip(*columns, strict=True)])
    for parts in product(*axes):
        yield names | {role: entry for part in parts for role, entry in part.items()}


def with_both_sides(condition: Condition, roles: Mapping[str, Role]) -> Condition:
    """Return a condition that asks about stuck attacks on both sides, if it subtracts another network's number.

    Args:
        condition: such as that of "{aloe}+{msp}" on "{ood}/{attack} less {aoe}", which asks about {aloe}'s attack.
        roles: of its criterion.
    """
    others = [name for name in roles_in(condition.rows.examples.partition(LESS)[2]) if name in roles]
    own = [name for name in roles_in(condition.rows.entry) if name in roles]
    if not (condition.stuck and others and own and roles[own[0]].section == roles[others[0]].section):
        return condition
    first = condition.stuck[0]
    entry = first.rows.entry.replace(f"{{{own[0]}}}", f"{{{others[0]}}}")
    return replace(condition, stuck=(first, replace(first, rows=first.rows._replace(entry=entry))))


@dataclass(frozen=True)
class Book:
    """Every published figure and every criterion by its id, in the order of the papers."""

    published: Mapping[str, Published]
    criteria: Mapping[str, Criterion]
