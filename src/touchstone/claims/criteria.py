"""The published claims, and the criteria fixed for them before any run: claims/*.yaml, read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

import yaml

FOLDER = Path(__file__).parent
COMPARISONS = ("at_least", "at_most", "above", "below", "between", "equals")
MANY = ("each", "mean")  # what is judged one by one, what is averaged before it is judged
COLUMNS = ("evaluation", "metric", "entry", "examples", "threat")

Bound = float | tuple[float, float]


def _named(text: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(text) if name]


@dataclass(frozen=True)
class Published:
    """A figure as its paper states it; marks say what was read: P text, C code, R review thread, K notes."""

    id: str
    paper: str
    setting: str
    figure: str
    source: str
    marks: tuple[str, ...]


class Rows(NamedTuple):
    """Which metrics rows are meant, whatever the study calls its entries: {net} stands for what plays the role net.

    evaluation: the component, not the study's name for it. metric: "1 - robust_accuracy" is what the accuracy leaves;
    a paired difference is a metric of its own, "auroc_minus_{msp}".
    threat: what the row's threat model must allow, such as eps.
    """

    evaluation: str
    metric: str
    entry: str
    examples: str
    threat: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Condition:
    """A number that rows give, less `times` a second one if there is a `minus`, and what it has to be.

    name: what it is called; {net} stands for who plays the role. Without a comparison the number is reported. `optional`:
    passed over where its rows are missing.
    """

    name: str
    rows: Rows
    minus: Rows | None = None
    times: float = 1.0
    comparison: str = ""
    bounds: Mapping[str, Bound] | Bound | None = None  # one for all, or per data set that papers.md names
    tolerance: float = 0.0
    optional: bool = False
    says: str = ""  # of what breaks a claim: the label for the note
    # The share of inputs at which the attack found no gradient, and the most it may be: above it the attack was stuck,
    # and what it left is no more than an upper bound (papers.md 6.5).
    stuck: Condition | None = None

    @property
    def roles(self) -> list[str]:
        """The roles that its rows name."""
        both = [rows for rows in (self.rows, self.minus) if rows]
        texts = [text for rows in both for text in (rows.metric, rows.entry, rows.examples)]
        return list(dict.fromkeys(name for text in texts for name in _named(text)))

    def bound(self, data: str) -> Bound | None:
        """Return the bound for a data set; None where papers.md fixes none for it."""
        return self.bounds.get(data) if isinstance(self.bounds, Mapping) else self.bounds


class Role(NamedTuple):
    """The section whose entries may play a role, and whether several do: "each", "mean", or "" for one alone."""

    section: str
    many: str


@dataclass(frozen=True)
class Criterion:
    """A scaled-down claim: what is measured and what it has to be, fixed before any run."""

    id: str
    paper: str
    setting: str
    text: str
    scales: tuple[str, ...]  # the published claims whose status follows from this one
    roles: Mapping[str, Role]
    tests: tuple[Condition, ...]
    needs: tuple[Condition, ...]  # what must hold for the claim to be asked at all
    breaks: Condition | None  # when it breaks those that name it in broken_by; without one, when its tests are met
    broken_by: tuple[str, ...]
    each_seed: bool
    together: tuple[str, ...]  # "each" roles that go side by side: the first with the first, ...
    fixed: str  # the status word that papers.md gives, whatever is measured
    met: str  # the status word where the tests are met
    otherwise: str  # the label where they are not


@dataclass(frozen=True)
class Book:
    """Every claim by its id, in the order of papers.md."""

    published: Mapping[str, Published]
    criteria: Mapping[str, Criterion]


@cache
def load(folder: Path = FOLDER) -> Book:
    """Return all claims; ValueError names file, claim and key of what is wrong."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's reads ten times as fast
    files = [(path, yaml.load(path.read_text(), loader)) for path in folder.glob("*.yaml")]
    published: dict[str, Published] = {}
    criteria: dict[str, Criterion] = {}
    for path, content in sorted(files, key=lambda item: min(item[1]["published"])):
        for name, block in content["published"].items():
            _check(f"{path.name}: {name}", block, ("setting", "figure", "source", "marks"))
            rest = {**block, "marks": tuple(block["marks"])}
            published[name] = Published(id=name, paper=content["paper"], **rest)
        for name, block in content["criteria"].items():
            criteria[name] = _criterion(f"{path.name}: {name}", name, content["paper"], block)
    for criterion in criteria.values():
        _check(f"{criterion.id}: scales", criterion.scales, published)
        _check(f"{criterion.id}: broken_by", criterion.broken_by, criteria)
    return Book(published, criteria)


def _check(where: str, found: Iterable[str], allowed: Iterable[str]) -> None:
    unknown = [name for name in found if name not in allowed]
    if unknown:
        raise ValueError(f"{where}: {unknown[0]} is not among {', '.join(allowed)}")


def _criterion(where: str, name: str, paper: str, block: dict[str, Any]) -> Criterion:
    plain = ("setting", "criterion", "scales", "roles", "tests", "needs", "rows", "breaks", "broken_by")
    _check(where, block, (*plain, "seeds", "together", "fixed", "met", "otherwise"))
    rows = block.get("rows", {})
    roles = {role: Role(words.split()[-1], words.split()[0] if " " in words else "")
             for role, words in block.get("roles", {}).items()}  # fmt: skip
    _check(f"{where}: roles", (role.many for role in roles.values() if role.many), MANY)
    found = Criterion(
        id=name,
        paper=paper,
        setting=block["setting"],
        text=block["criterion"],
        scales=tuple(block.get("scales", ())),
        roles=roles,
        tests=tuple(_condition(where, rows | test) for test in block.get("tests", ())),
        needs=tuple(_condition(where, _unjudged(rows) | need) for need in block.get("needs", ())),
        breaks=_condition(where, _unjudged(rows) | block["breaks"]) if "breaks" in block else None,
        broken_by=tuple(block.get("broken_by", ())),
        each_seed=block.get("seeds") == "each",
        together=tuple(block.get("together", ())),
        fixed=block.get("fixed", ""),
        met=block.get("met", "confirmed"),
        otherwise=block.get("otherwise", ""),
    )
    for condition in (*found.tests, *found.needs, *([found.breaks] if found.breaks else [])):
        _check(f"{where}: {condition.name}", condition.roles, roles)
        named = [role for role in condition.roles if roles[role].many != "mean"]
        _check(f"{where}: {condition.name}", _named(condition.name), named)
    return found


def _unjudged(rows: dict[str, Any]) -> dict[str, Any]:
    """Return what a criterion says of all of its rows, without the comparison that is for its tests alone."""
    return {key: value for key, value in rows.items() if key not in (*COMPARISONS, "minus", "optional")}


def _condition(where: str, block: dict[str, Any]) -> Condition:
    where = f"{where}: {block.get('name')}"
    _check(where, block, ("name", *COLUMNS, "minus", "tolerance", "optional", "says", "stuck", *COMPARISONS))
    given = [name for name in COMPARISONS if name in block]
    if len(given) > 1:
        raise ValueError(f"{where}: compares by {' and '.join(given)}; one is enough")
    comparison = given[0] if given else ""
    minus = block.get("minus")
    _check(f"{where}: minus", minus or (), (*COLUMNS, "times"))
    stuck = block.get("stuck")
    _check(f"{where}: stuck", stuck or (), (*COLUMNS, *COMPARISONS))
    return Condition(
        name=block["name"],
        rows=_rows(where, block),
        minus=None if minus is None else _rows(where, block | minus),
        times=float((minus or {}).get("times", 1)),
        comparison=comparison,
        bounds=_bounds(block.get(comparison)),
        tolerance=float(block.get("tolerance", 0)),
        optional=block.get("optional", False),
        says=block.get("says", ""),
        stuck=None if stuck is None else _condition(where, _unjudged(block) | {"name": "stuck", "stuck": None} | stuck),
    )


def _rows(where: str, block: dict[str, Any]) -> Rows:
    missing = [column for column in COLUMNS if column not in block and column != "threat"]
    if missing:
        raise ValueError(f"{where}: says nothing of {missing[0]}")
    evaluation, metric, entry, examples = (str(block[column]) for column in COLUMNS[:-1])
    threat = tuple((key, float(value)) for key, value in block.get("threat", {}).items())
    return Rows(evaluation, metric, entry, examples, threat)


def _bounds(given: Any) -> Mapping[str, Bound] | Bound | None:
    if isinstance(given, dict):
        return {data: _bound(value) for data, value in given.items()}
    return None if given is None else _bound(given)


def _bound(given: Any) -> Bound:
    return (float(given[0]), float(given[1])) if isinstance(given, list) else float(given)
