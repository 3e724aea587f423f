"""The published claims, and the criteria fixed for them before any run. paper_files.py reads them from papers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from string import Formatter
from typing import NamedTuple

# Whose claim a criterion is: the paper's; the opposite of it, which we claim; a check of our own attacks; or background.
KINDS = ("paper", "counter", "check", "context")
COMPARISONS = ("at_least", "at_most", "above", "below", "between", "equals")
MET = ("confirmed", "true by construction")  # what a claim may be called if its tests are met
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
        bounds: one bound for all data, or one per data set.
        tolerance: of "equals".
        no_effect: where the paper's direction ends: a number on the same side of it as the bound has the same direction.
        distance: how far beyond its bound the truth has to be for the claim to be worth settling (`touchstone power`).
        optional: skip the condition for each thing whose row is missing.
        consequence: what follows if this condition breaks its claim, in words.
        stuck: the share of inputs at which the attack found no gradient, and its bound. Above the bound the attack was
            stuck, so the number is only an upper bound (docs/papers/shared.md, "Checks of an attack"). Of a difference
            between two networks, the shares of both attacks.
        certified: what bounds on the networks prove the truth to be at least. If the attack was stuck, the truth lies
            between this number and the attacked one.
    """

    name: str
    rows: RowQuery
    comparison: str = ""
    bounds: Mapping[str, Bound] | Bound | None = None
    tolerance: float = 0.0
    no_effect: float | None = None
    distance: float = 0.0
    optional: bool = False
    consequence: str = ""
    stuck: tuple[Condition, ...] = ()
    certified: Condition | None = None

    @property
    def roles(self) -> list[str]:
        """The roles that its rows name, each once."""
        texts = (self.rows.metric, self.rows.entry, self.rows.examples)
        return list(dict.fromkeys(name for text in texts for name in roles_in(text)))

    def bound(self, data: str) -> Bound | None:
        """Return the bound for a data set; None if none was fixed for it."""
        return self.bounds.get(data) if isinstance(self.bounds, Mapping) else self.bounds


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


class PaperScale(NamedTuple):
    """What a study must have for a criterion to measure a published figure itself.

    Attributes:
        data: the paper's data.
        settings: {role: what is the paper's of the entry that plays it}.
        tests: the numbers that the figure is about; all of the criterion if empty.
    """

    data: str
    settings: Mapping[str, Mapping[str, object]]
    tests: tuple[Condition, ...] = ()


@dataclass(frozen=True)
class Criterion:
    """A scaled-down claim: what is measured, and its bounds, fixed before any run."""

    id: str
    paper: str
    setting: str
    text: str
    scales: tuple[str, ...]  # the published claims whose status follows from this one
    roles: Mapping[str, Role]
    tests: tuple[Condition, ...]
    needs: tuple[Condition, ...]  # unless these are met, the claim is not judged
    breaks: Condition | None  # if met, it breaks the criteria that name it in `broken_by`; None: if its tests are met
    broken_by: tuple[str, ...]
    each_seed: bool
    together: tuple[str, ...]  # "each" roles whose entries go in pairs: the first with the first, ...
    met: str  # the status word if the tests are met
    otherwise: str  # the label if they are not
    says: str = ""  # the result as a sentence; {0} is the number of the first test, {breaks} that of `breaks`
    kind: str = "paper"  # one of KINDS
    paper_scale: Mapping[str, PaperScale] = field(
        default_factory=dict
    )  # by the published figure that it measures itself
    revised: tuple[Revision, ...] = ()  # the oldest first

    @property
    def changes(self) -> list[tuple[Revision, str]]:
        """Every change, the oldest first, with what the criterion said after it."""
        texts = (*(change.was for change in self.revised), self.text)
        return list(zip(self.revised, texts[1:], strict=True))

    @property
    def conditions(self) -> dict[tuple[str, ...], Condition]:
        """Every condition by the keys that lead to it: tests, needs, what breaks it, and checks of stuck attacks."""
        listed = {"tests": self.tests, "needs": self.needs}
        conditions: dict[tuple[str, ...], Condition] = {
            (part, str(index)): each for part, group in listed.items() for index, each in enumerate(group)
        }
        if self.breaks:
            conditions["breaks",] = self.breaks
        certified = {
            (*place, "certified"): each.certified for place, each in conditions.items() if each.certified is not None
        }
        stuck = {
            (*place, "stuck", *["of what is subtracted"] * side): one
            for place, each in conditions.items()
            for side, one in enumerate(each.stuck)
        }
        return conditions | certified | stuck


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
    """Every claim by its id, in the order of the papers."""

    published: Mapping[str, Published]
    criteria: Mapping[str, Criterion]
