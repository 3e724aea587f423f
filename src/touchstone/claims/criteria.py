"""The published claims, and the criteria fixed for them before any run: claims/*.yaml, read and checked.

The files are read by hand and not by pydantic: importing that costs 0.15 s in every process that reads a study, and a
criterion's `rows:`, which its tests, needs and breaks inherit in three different ways, would need a validator each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

import yaml

from touchstone.messages import nearest

FOLDER = Path(__file__).parent
COMPARISONS = ("at_least", "at_most", "above", "below", "between", "equals")
MANY = ("each", "mean")  # entries that are judged one by one, entries that are averaged before they are judged
COLUMNS = ("evaluation", "metric", "entry", "examples", "threat")

Bound = float | tuple[float, float]


def _roles_in(text: str) -> list[str]:
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
        minus, times: the rows of a second number; it is subtracted `times` times.
        comparison: one of COMPARISONS; "" if the number is only reported.
        bounds: one bound for all data, or one per data set.
        tolerance: of "equals".
        optional: skip the condition if its rows are missing.
        says: the label for the note if this condition breaks its claim.
        stuck: the share of inputs at which the attack found no gradient, and its bound. Above the bound the attack was
            stuck, so the number is only an upper bound (docs/papers/shared.md, "Checks of an attack").
    """

    name: str
    rows: RowQuery
    minus: RowQuery | None = None
    times: float = 1.0
    comparison: str = ""
    bounds: Mapping[str, Bound] | Bound | None = None
    tolerance: float = 0.0
    optional: bool = False
    says: str = ""
    stuck: Condition | None = None

    @property
    def roles(self) -> list[str]:
        """The roles that its rows name, each once."""
        both = [rows for rows in (self.rows, self.minus) if rows]
        texts = [text for rows in both for text in (rows.metric, rows.entry, rows.examples)]
        return list(dict.fromkeys(name for text in texts for name in _roles_in(text)))

    def bound(self, data: str) -> Bound | None:
        """Return the bound for a data set; None if none was fixed for it."""
        return self.bounds.get(data) if isinstance(self.bounds, Mapping) else self.bounds


class Role(NamedTuple):
    """The section whose entries may play a role, and how many do: "each" or "mean" of several, "" for a single one."""

    section: str
    many: str


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
    fixed: str  # the status word that was fixed beforehand, whatever is measured
    met: str  # the status word if the tests are met
    otherwise: str  # the label if they are not


@dataclass(frozen=True)
class Book:
    """Every claim by its id, in the order of the files' first claims."""

    published: Mapping[str, Published]
    criteria: Mapping[str, Criterion]


@cache
def load(folder: Path = FOLDER) -> Book:
    """Return all claims of a folder; ValueError names the file, the claim, the key and the nearest allowed word."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast
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


def _check(where: str, names: Iterable[str], allowed: Iterable[str]) -> None:
    for name in names:
        if name not in allowed:
            raise ValueError(f"{where}: {name} is not among {', '.join(allowed)}.{nearest(name, allowed)}")


def _criterion(where: str, name: str, paper: str, block: dict[str, Any]) -> Criterion:
    plain = ("setting", "criterion", "scales", "roles", "tests", "needs", "rows", "breaks", "broken_by")
    _check(where, block, (*plain, "seeds", "together", "fixed", "met", "otherwise"))
    rows = block.get("rows", {})
    roles = {role: Role(words.split()[-1], words.split()[0] if " " in words else "")
             for role, words in block.get("roles", {}).items()}  # fmt: skip
    _check(f"{where}: roles", (role.many for role in roles.values() if role.many), MANY)
    criterion = Criterion(
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
    for condition in (*criterion.tests, *criterion.needs, *([criterion.breaks] if criterion.breaks else [])):
        _check(f"{where}: {condition.name}", condition.roles, roles)
        not_averaged = [role for role in condition.roles if roles[role].many != "mean"]
        _check(f"{where}: {condition.name}", _roles_in(condition.name), not_averaged)
    return criterion


def _unjudged(rows: dict[str, Any]) -> dict[str, Any]:
    """Return what a criterion says about all of its rows, without the comparison, which is only for its tests."""
    return {key: value for key, value in rows.items() if key not in (*COMPARISONS, "minus", "optional")}


def _condition(where: str, block: dict[str, Any]) -> Condition:
    where = f"{where}: {block.get('name')}"
    _check(where, block, ("name", *COLUMNS, "minus", "tolerance", "optional", "says", "stuck", *COMPARISONS))
    comparisons = [name for name in COMPARISONS if name in block]
    if len(comparisons) > 1:
        raise ValueError(f"{where}: compares by {' and '.join(comparisons)}; keep one of them")
    comparison = comparisons[0] if comparisons else ""
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


def _rows(where: str, block: dict[str, Any]) -> RowQuery:
    missing = [column for column in COLUMNS if column not in block and column != "threat"]
    if missing:
        raise ValueError(f"{where}: {missing[0]} is missing; add it here or under the criterion's rows")
    evaluation, metric, entry, examples = (str(block[column]) for column in COLUMNS[:-1])
    threat = tuple((key, float(value)) for key, value in block.get("threat", {}).items())
    return RowQuery(evaluation, metric, entry, examples, threat)


def _bounds(value: Any) -> Mapping[str, Bound] | Bound | None:
    if isinstance(value, dict):
        return {data: _bound(bound) for data, bound in value.items()}
    return None if value is None else _bound(value)


def _bound(value: Any) -> Bound:
    return (float(value[0]), float(value[1])) if isinstance(value, list) else float(value)
