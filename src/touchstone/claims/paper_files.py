"""The claims of papers, read from the content of their paper.yaml.

They are read by hand and not by pydantic: importing that costs 0.15 s in every process that reads a study, and a
criterion's `rows:`, which its tests, needs and breaks inherit in three different ways, would need a validator each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from touchstone.claims.criteria import (
    COMPARISONS,
    KINDS,
    MANY,
    MARKS,
    Book,
    Bound,
    Condition,
    Criterion,
    Published,
    Revision,
    Role,
    RowQuery,
    roles_in,
    with_both_sides,
)
from touchstone.messages import nearest

PAPER = (
    "name", "title", "cite", "url", "idea", "answers", "change", "limits", "contrast", "distance", "published", "criteria",
)  # fmt: skip
CLAIM = {"published": re.compile(r"P[a-z0-9]+-\d+"), "criteria": re.compile(r"S[a-z0-9]+-\d+")}
FIGURE = ("setting", "figure", "source", "marks")
UNMEASURED = "unmeasured"
SECTIONS = ("classifiers", "defences", "translators", "examples", "attacks", "detectors", "margins")
CRITERION = (
    "setting", "criterion", "scales", "roles", "tests", "needs", "rows", "breaks", "broken_by", "seeds", "together", "met",
    "otherwise", "says", "kind", "paper_scale", "revised",
)  # fmt: skip
COLUMNS = ("evaluation", "metric", "entry", "examples", "threat")
NUMBER = ("name", *COLUMNS, "tolerance", "no_effect", "distance", "optional", "consequence", "stuck", "certified",
          *COMPARISONS)  # fmt: skip
REVISION = ("date", "was", "why", "known")
DISTANCE = 0.05  # of a paper that fixes none

Place = tuple[str, ...]


class ClaimError(ValueError):
    """A mistake in a paper.yaml: the keys that lead to it, and what is wrong."""

    def __init__(self, place: Place, message: str) -> None:
        super().__init__(f"{'.'.join(place)}: {message}")
        self.place, self.message = place, message


def book(papers: Mapping[str, Mapping[str, Any]]) -> Book:
    """Return the claims of several papers.

    Args:
        papers: {paper: the content of its paper.yaml}.

    Raises:
        ClaimError: a claim is wrong.
    """
    published: dict[str, Published] = {}
    criteria: dict[str, Criterion] = {}
    for facts in papers.values():
        for name, block in (facts.get("published") or {}).items():
            published[name] = _published(name, facts, block)
        for name, block in (facts.get("criteria") or {}).items():
            criteria[name] = criterion(name, facts, block)
    for one in criteria.values():
        own = [name for name, figure in published.items() if figure.paper == one.paper]
        _check_names(("criteria", one.id, "scales"), one.scales, own)
        _check_names(("criteria", one.id, "broken_by"), one.broken_by, criteria)
    return Book(published, criteria)


def mistakes(facts: Mapping[str, Any]) -> Iterator[ClaimError]:
    """Yield everything that is wrong with the content of a paper.yaml; of each claim the first mistake."""
    for key in facts:
        if key not in PAPER:
            yield ClaimError((key,), f"no such key. Keys are {', '.join(PAPER)}.{nearest(key, PAPER)}")
    for key in ("name", "title", "cite", "url"):
        value = facts.get(key, "" if key != "title" else "title")
        if not isinstance(value, str) or not value:
            yield ClaimError((key,), "must be given, as text")
    for key in ("idea", "change"):
        if not isinstance(facts.get(key, ""), str):
            yield ClaimError((key,), "expected text")
    if not isinstance(limits := facts.get("limits", []), list) or any(not isinstance(x, str) or not x for x in limits):
        yield ClaimError(("limits",), "expected a list of sentences")
    answers = facts.get("answers", [])
    for name in answers if isinstance(answers, list) else [answers]:
        if name not in (facts.get("criteria") or ()):
            yield ClaimError(("answers",), f"{name} is no criterion of this paper")
    parts = {part: facts.get(part) or {} for part in CLAIM}
    for part, claims in parts.items():
        if not isinstance(claims, dict):
            yield ClaimError((part,), "expected claims, each by its id")
            return
        for name, block in claims.items():
            if not CLAIM[part].fullmatch(name):
                example = f"{CLAIM[part].pattern[0]}mypaper-1"
                yield ClaimError((part, name), f"an id is {example[0]}, letters or digits, -, a number: {example}")
                return
            try:
                _published(name, facts, block) if part == "published" else criterion(name, facts, block)
            except ClaimError as error:
                yield error


def _published(name: str, facts: Mapping[str, Any], block: Any) -> Published:
    place = ("published", name)
    _check_block(place, block, (*FIGURE, UNMEASURED), required=FIGURE)
    marks = block["marks"]
    if not isinstance(marks, list) or not marks:
        raise ClaimError((*place, "marks"), f"expected a list of {', '.join(MARKS)}: what was read")
    _check_names((*place, "marks"), marks, MARKS)
    for key in (*FIGURE[:3], UNMEASURED):
        if key in block and (not isinstance(block[key], str) or not block[key].strip()):
            raise ClaimError((*place, key), "must be given, as text")
    return Published(id=name, paper=str(facts.get("name", "")), **{**block, "marks": tuple(marks)})


def criterion(name: str, facts: Mapping[str, Any], block: Any) -> Criterion:
    """Return a criterion from its block.

    Args:
        name: its id.
        facts: the content of its paper.yaml.
        block: the content of the criterion.

    Raises:
        ClaimError: it is wrong.
    """
    place = ("criteria", name)
    _check_block(place, block, CRITERION, required=("setting", "criterion"))
    rows = block.get("rows", {})
    _check_block((*place, "rows"), rows, NUMBER)
    _check_block((*place, "roles"), block.get("roles", {}))
    roles = {role: _role((*place, "roles", role), words) for role, words in block.get("roles", {}).items()}
    unjudged = {key: value for key, value in rows.items() if key not in (*COMPARISONS, "no_effect", "optional")}
    _check_names((*place, "kind"), [block.get("kind", KINDS[0])], KINDS)
    for key in ("setting", "criterion", "met", "otherwise", "says"):
        if not isinstance(block.get(key, ""), str):
            raise ClaimError((*place, key), "expected text")
    _check_names((*place, "seeds"), [block["seeds"]] if "seeds" in block else [], ["each"])
    _check_names((*place, "together"), block.get("together") or [], block.get("roles") or {})
    for key in ("tests", "needs", "scales", "broken_by", "together", "revised"):
        if not isinstance(block.get(key, []), list):
            raise ClaimError((*place, key), "expected a list")
    if not block.get("tests"):
        raise ClaimError(place, "needs tests: the numbers that it judges")
    if not isinstance(block.get("paper_scale", False), bool):
        raise ClaimError((*place, "paper_scale"), "expected true or false")
    inherited = {"distance": facts.get("distance", DISTANCE)} | rows
    tests = _conditions((*place, "tests"), block.get("tests", []), inherited)
    read = Criterion(
        id=name,
        paper=str(facts.get("name", "")),
        setting=block["setting"],
        text=block["criterion"],
        scales=tuple(block.get("scales", ())),
        roles=roles,
        tests=tuple(with_both_sides(each, roles) for each in tests),
        needs=_conditions((*place, "needs"), block.get("needs", []), unjudged),
        breaks=_condition((*place, "breaks"), unjudged, block["breaks"]) if "breaks" in block else None,
        broken_by=tuple(block.get("broken_by", ())),
        each_seed=block.get("seeds") == "each",
        together=tuple(block.get("together", ())),
        met=block.get("met", "confirmed"),
        otherwise=block.get("otherwise", ""),
        says=block.get("says", ""),
        kind=block.get("kind", KINDS[0]),
        paper_scale=block.get("paper_scale", False),
        revised=tuple(
            _revision((*place, "revised", str(index)), each) for index, each in enumerate(block.get("revised", []))
        ),
    )
    placeholders = [*map(str, range(len(read.tests))), *(["breaks"] if read.breaks else [])]
    _check_names((*place, "says"), roles_in(_text(place, "says", read.says)), placeholders, "the number")
    for condition in (*read.tests, *read.needs, *([read.breaks] if read.breaks else [])):
        _check_names(place, condition.roles, roles, f"{condition.name}: the role")
        not_averaged = [role for role in condition.roles if roles[role].many != "mean"]
        _check_names(place, roles_in(condition.name), not_averaged, f"{condition.name}: the role")
    return read


def _revision(place: Place, block: Any) -> Revision:
    _check_block(place, block, REVISION, required=REVISION)
    if not isinstance(block["known"], bool):
        raise ClaimError((*place, "known"), "expected true or false: was the outcome of a run known?")
    return Revision(str(block["date"]), str(block["was"]), str(block["why"]), block["known"])


def _role(place: Place, words: Any) -> Role:
    if not isinstance(words, str) or not 1 <= len(words.split()) <= 2:
        raise ClaimError(place, "expected a section, such as classifiers, or each or mean before it")
    *many, section = words.split()
    _check_names(place, many, MANY)
    _check_names(place, [section], SECTIONS, "the section")
    return Role(section, many[0] if many else "")


def _check_block(place: Place, block: Any, allowed: Iterable[str] = (), required: Iterable[str] = ()) -> None:
    if not isinstance(block, dict):
        raise ClaimError(place, "expected a block of keys")
    if allowed:
        _check_names(place, block, allowed, "the key")
    for key in required:
        if key not in block:
            raise ClaimError(place, f"{key} is missing; add it")


def _check_names(place: Place, names: Iterable[Any], allowed: Iterable[str], what: str = "") -> None:
    allowed = list(allowed)
    for name in names:
        if name not in allowed:
            listed = ", ".join(allowed) or "nothing"
            raise ClaimError(place, f"{what} {name} is not among {listed}.{nearest(str(name), allowed)}".lstrip())


def _conditions(place: Place, blocks: list[Any], inherited: Mapping[str, Any]) -> tuple[Condition, ...]:
    return tuple(_condition((*place, str(index)), inherited, block) for index, block in enumerate(blocks))


def _condition(place: Place, inherited: Mapping[str, Any], own: Any) -> Condition:
    """Return one number with its bound; what it does not say itself it inherits from its criterion."""
    _check_block(place, own)
    block = {**inherited, **own}
    _check_block(place, block, NUMBER, required=("name",))
    comparisons = [name for name in COMPARISONS if name in block]
    if len(comparisons) > 1:
        raise ClaimError(place, f"compares by {' and '.join(comparisons)}; keep one of them")
    comparison = comparisons[0] if comparisons else ""
    beside: dict[str, Condition | None] = {"stuck": None, "certified": None}
    unjudged = {
        key: value for key, value in block.items() if key not in (*COMPARISONS, *beside, "no_effect", "optional")
    }
    for part in beside:
        if block.get(part) is not None:
            _check_block((*place, part), block[part], (*COLUMNS, *COMPARISONS))
            beside[part] = _condition((*place, part), unjudged | {"name": part}, block[part])
    return Condition(
        name=_text(place, "name", block["name"]),
        rows=_rows(place, block),
        comparison=comparison,
        bounds=_bounds((*place, comparison), block.get(comparison), comparison),
        tolerance=_number((*place, "tolerance"), block.get("tolerance", 0)),
        no_effect=None if block.get("no_effect") is None else _number((*place, "no_effect"), block["no_effect"]),
        distance=_number((*place, "distance"), block.get("distance", 0)),
        optional=block.get("optional", False),
        consequence=block.get("consequence", ""),
        stuck=(beside["stuck"],) if beside["stuck"] else (),
        certified=beside["certified"],
    )


def _text(place: Place, key: str, value: Any) -> str:
    """Return a text whose braces, if it has any, hold roles."""
    try:
        roles_in(str(value))
    except ValueError as error:
        raise ClaimError((*place, key), f"{error}; a role is written {{role}}") from None
    return str(value)


def _rows(place: Place, block: Mapping[str, Any]) -> RowQuery:
    for column in COLUMNS:
        if column not in block and column != "threat":
            raise ClaimError(place, f"{column} is missing; add it here or under the criterion's rows")
    evaluation, metric, entry, examples = (_text(place, column, block[column]) for column in COLUMNS[:-1])
    threat = block.get("threat") or {}
    _check_block((*place, "threat"), threat)
    threat = tuple((key, _number((*place, "threat", key), value)) for key, value in threat.items())
    return RowQuery(evaluation, metric, entry, examples, threat)


def _bounds(place: Place, value: Any, comparison: str) -> Mapping[str, Bound] | Bound | None:
    if isinstance(value, dict):
        return {data: _bound((*place, data), bound, comparison) for data, bound in value.items()}
    return None if value is None else _bound(place, value, comparison)


def _bound(place: Place, value: Any, comparison: str) -> Bound:
    if comparison != "between":
        return _number(place, value)
    if not isinstance(value, list) or len(value) != 2:
        raise ClaimError(place, "expected two ends, [lowest, highest]")
    return (_number(place, value[0]), _number(place, value[1]))


def _number(place: Place, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ClaimError(place, f"expected a number, got {value!r}")
    return float(value)
