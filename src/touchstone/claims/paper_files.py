"""The claims of papers, read from the content of their claims.yaml.

They are read by hand and not by pydantic, because it would help little: what a criterion's `rows:` give to its tests,
needs and breaks is inherited in three different ways, and would need a validator each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from touchstone.claims.condition_files import CONDITION, read_condition, read_conditions
from touchstone.claims.criteria import (
    CLAIM,
    COMPARISONS,
    KINDS,
    MANY,
    MARKS,
    NUMBER,
    ORIGINS,
    Book,
    Criterion,
    Origin,
    Published,
    Revision,
    Role,
    roles_in,
    with_both_sides,
)
from touchstone.claims.file_checks import ClaimError, Place, check_block, check_names, text, truth
from touchstone.messages import nearest

PAPER = (
    "name", "title", "cite", "url", "other_works", "idea", "opening", "answers", "change", "limits", "unfair", "fixed",
    "contrast", "distance", "published", "criteria",
)  # fmt: skip
# An id: P, a label, a hyphen and a number; of a criterion another capital letter, and the hyphen may be left out.
IDS = {"published": re.compile(r"P[a-z0-9]+-\d+"), "criteria": re.compile(r"[A-OQ-Z][a-z0-9]*-?\d+")}
EXAMPLES = {"published": "Pmypaper-1", "criteria": "M1 or Mypaper-1"}
FIGURE = ("setting", "figure", "source", "marks")
UNMEASURED = "unmeasured"
SECTIONS = ("classifiers", "defences", "translators", "examples", "attacks", "detectors", "margins")
ATTACKED = ("classifiers", "defences", "translators", "detectors")  # whose entries an attack is made on
CRITERION = (
    "kind", "setting", "criterion", "bound", "says", "scales", "roles", "rows", "tests", "needs", "breaks", "broken_by",
    "survives_if", "seeds", "together", "revised",
)  # fmt: skip
WORK = ("cite", "url")
FIXED = ("commit", "date")
COMMIT = re.compile(r"[0-9a-f]{7,40}")
BOUND = ("from", "source", "known")
REVISION = ("date", "was", "why", "known")
DISTANCE = 0.05  # of a paper that fixes none


def book(papers: Mapping[str, Mapping[str, Any]]) -> Book:
    """Return the claims of several papers.

    Args:
        papers: {paper: the content of its claims.yaml}.

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
        check_names(("criteria", one.id, "scales"), one.scales, own)
        check_names(("criteria", one.id, "broken_by"), one.broken_by, criteria)
        if one.id in one.broken_by and one.breaks is None:
            raise ClaimError(
                ("criteria", one.id, "broken_by"), f"{one.id} has no breaks: and would be broken if it holds"
            )
        for attack in one.broken_by:
            _check_common_role(one, criteria[attack])
    return Book(published, criteria)


def _check_common_role(attacked: Criterion, attack: Criterion) -> None:
    """Refuse an attack that names what it attacks by other roles than the criterion that it may break.

    An attack is one on the same network if the roles that both name are played by the same entries.
    """
    own, other = (
        [name for name, role in each.roles.items() if role.section in ATTACKED] for each in (attacked, attack)
    )
    if own and other and not set(own) & set(other):
        raise ClaimError(
            ("criteria", attacked.id, "broken_by"),
            f"{attack.id} attacks {', '.join(other)}, but this criterion is about {', '.join(own)}. "
            "Give what both are about the same role",
        )


def mistakes(facts: Mapping[str, Any]) -> Iterator[ClaimError]:
    """Yield everything that is wrong with the content of a claims.yaml; of each claim the first mistake."""
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
    for key in ("limits", "unfair"):
        value = facts.get(key, [])
        if not isinstance(value, list) or any(not isinstance(each, str) or not each.strip() for each in value):
            yield ClaimError((key,), "expected a list of sentences")
        elif key == "unfair" and not value:
            yield ClaimError((key,), "must be given: a list of what the authors would call unfair about this test")
    if "fixed" in facts:
        yield from _mistakes_of_fixed(facts["fixed"])
    if "other_works" in facts:
        yield from _mistakes_of_other_works(facts["other_works"])
    for key in ("opening", "answers"):
        named = facts.get(key, [])
        if not isinstance(named, list):
            yield ClaimError((key,), f"expected a list of criteria, such as [M1], got {named!r}")
        for name in named if isinstance(named, list) else ():
            if name not in (facts.get("criteria") or ()):
                yield ClaimError((key,), f"{name} is no criterion of this paper")
    parts = {part: facts.get(part) or {} for part in IDS}
    for part, claims in parts.items():
        if not isinstance(claims, dict):
            yield ClaimError((part,), "expected claims, each by its id")
            return
        for name, block in claims.items():
            if not IDS[part].fullmatch(name):
                letter = "P" if part == "published" else "a capital letter, not P"
                yield ClaimError((part, name), f"an id is {letter}, letters or digits, a number: {EXAMPLES[part]}")
                return
            try:
                _published(name, facts, block) if part == "published" else criterion(name, facts, block)
            except ClaimError as error:
                yield error


def _mistakes_of_other_works(blocks: Any) -> Iterator[ClaimError]:
    if not isinstance(blocks, list):
        yield ClaimError(("other_works",), f"expected a list of {{cite: ..., url: ...}}, got {blocks!r}")
        return
    for index, block in enumerate(blocks):
        place = ("other_works", str(index))
        try:
            check_block(place, block, WORK, WORK)
            for key in WORK:
                text(place, key, block[key])
        except ClaimError as error:
            yield error


def _mistakes_of_fixed(block: Any) -> Iterator[ClaimError]:
    place: Place = ("fixed",)
    try:
        check_block(place, block, FIXED, required=FIXED)
        if not COMMIT.fullmatch(str(block["commit"])):
            raise ClaimError((*place, "commit"), f"expected the hash of a commit, got {block['commit']}; quote it")
        _check_date((*place, "date"), block["date"])
    except ClaimError as error:
        yield error


def _published(name: str, facts: Mapping[str, Any], block: Any) -> Published:
    place = ("published", name)
    check_block(place, block, (*FIGURE, UNMEASURED), required=FIGURE)
    marks = block["marks"]
    if not isinstance(marks, list) or not marks:
        raise ClaimError((*place, "marks"), f"expected a list of {', '.join(MARKS)}: what was read")
    check_names((*place, "marks"), marks, MARKS)
    for key in (*FIGURE[:3], UNMEASURED):
        if key in block and (not isinstance(block[key], str) or not block[key].strip()):
            raise ClaimError((*place, key), "must be given, as text")
    return Published(id=name, paper=str(facts.get("name", "")), **{**block, "marks": tuple(marks)})


def criterion(name: str, facts: Mapping[str, Any], block: Any) -> Criterion:
    """Return a criterion from its block.

    Args:
        name: its id.
        facts: the content of its claims.yaml.
        block: the content of the criterion.

    Raises:
        ClaimError: it is wrong.
    """
    place = ("criteria", name)
    check_block(place, block, CRITERION, required=("setting", "criterion"))
    rows = block.get("rows", {})
    check_block((*place, "rows"), rows, CONDITION)
    check_block((*place, "roles"), block.get("roles", {}))
    roles = {role: _role((*place, "roles", role), words) for role, words in block.get("roles", {}).items()}
    inherited = {"distance": facts.get("distance", DISTANCE)} | rows
    unjudged = {key: value for key, value in inherited.items() if key not in (*COMPARISONS, "optional")}
    check_names((*place, "kind"), [block.get("kind", CLAIM)], KINDS)
    for key in ("setting", "criterion", "says"):
        if not isinstance(block.get(key, ""), str):
            raise ClaimError((*place, key), "expected text")
    check_names((*place, "seeds"), [block["seeds"]] if "seeds" in block else [], ["each"])
    check_names((*place, "together"), block.get("together") or [], block.get("roles") or {})
    for key in ("tests", "needs", "scales", "broken_by", "survives_if", "together", "revised"):
        if not isinstance(block.get(key, []), list):
            raise ClaimError((*place, key), "expected a list")
    if not block.get("tests"):
        raise ClaimError(place, "needs tests: the numbers that it judges")
    tests = read_conditions((*place, "tests"), block.get("tests", []), inherited)
    read = Criterion(
        id=name,
        paper=str(facts.get("name", "")),
        setting=block["setting"],
        text=block["criterion"],
        scales=tuple(block.get("scales", ())),
        roles=roles,
        tests=tuple(with_both_sides(each, roles) for each in tests),
        needs=read_conditions((*place, "needs"), block.get("needs", []), unjudged),
        breaks=read_condition((*place, "breaks"), unjudged, block["breaks"]) if "breaks" in block else None,
        broken_by=tuple(block.get("broken_by", ())),
        each_seed=block.get("seeds") == "each",
        together=tuple(block.get("together", ())),
        says=block.get("says", ""),
        kind=block.get("kind", CLAIM),
        origin=_origin((*place, "bound"), block["bound"]) if "bound" in block else None,
        survives_if=read_conditions((*place, "survives_if"), block.get("survives_if", []), unjudged),
        revised=_revisions((*place, "revised"), block.get("revised", [])),
    )
    _check_bounds(place, read)
    _check_conditions_have_bounds(place, read)
    placeholders = [*map(str, range(len(read.tests))), *(["breaks"] if read.breaks else [])]
    check_names((*place, "says"), roles_in(text(place, "says", read.says)), placeholders, "the number")
    if read.says and not roles_in(read.says):
        raise ClaimError(
            (*place, "says"), "names no number, such as {0}, so it would say the same whatever is measured"
        )
    for condition in read.conditions.values():
        check_names(place, condition.roles, roles, f"{condition.name}: the role")
        not_averaged = [role for role in condition.roles if roles[role].many != "mean"]
        check_names(place, roles_in(condition.name), not_averaged, f"{condition.name}: the role")
    return read


def _origin(place: Place, block: Any) -> Origin:
    """Return where a bound comes from."""
    check_block(place, block, BOUND, required=BOUND[:2])
    check_names((*place, "from"), [block["from"]], ORIGINS)
    if not isinstance(block["source"], str) or not block["source"].strip():
        raise ClaimError((*place, "source"), "must be given, as text: the paper's figure with its place, or the reason")
    return Origin(block["from"], block["source"].strip(), truth((*place, "known"), block.get("known", False)))


def _check_bounds(place: Place, read: Criterion) -> None:
    """Refuse a claim without a bound or without its source, and numbers that have one."""
    bounded = {key: one for key, one in read.conditions.items() if key[:-1] == ("tests",) and one.comparison}
    if read.kind == NUMBER:
        if read.origin:
            raise ClaimError((*place, "bound"), f"a {NUMBER} has no bound; remove it, or make it a {CLAIM}")
        for key, one in bounded.items():
            message = f"a {NUMBER} has no bound; remove {one.comparison}, or make it a {CLAIM}"
            raise ClaimError((*place, *key, one.comparison), message)
        for name, value in (("breaks", read.breaks), ("broken_by", read.broken_by), ("survives_if", read.survives_if)):
            if value:
                raise ClaimError((*place, name), f"a {NUMBER} has no verdict that this could change; remove it")
        return
    if not bounded:
        raise ClaimError((*place, "tests"), f"none of its numbers has a bound; add one, or make it a {NUMBER}")
    if not read.origin:
        raise ClaimError(place, f"bound is missing: where it comes from, {{from: {' | '.join(ORIGINS)}, source: ...}}")


def _check_conditions_have_bounds(place: Place, read: Criterion) -> None:
    """Refuse what a criterion only asks in order to decide something, but without a bound: it would decide nothing."""
    for key, one in read.conditions.items():
        reported = key[:-1] == ("tests",)
        if not reported and not one.comparison:
            raise ClaimError((*place, *key), f"needs a bound: one of {', '.join(COMPARISONS)}")


def _revisions(place: Place, blocks: list[Any]) -> tuple[Revision, ...]:
    """Return the changes of a criterion, the oldest first; those of one day stay in the order of the file."""
    return tuple(
        sorted((_revision((*place, str(index)), each) for index, each in enumerate(blocks)), key=lambda one: one.date)
    )


def _revision(place: Place, block: Any) -> Revision:
    check_block(place, block, REVISION, required=REVISION)
    if not isinstance(block["known"], bool):
        raise ClaimError((*place, "known"), "expected true or false: was the outcome of a run known?")
    _check_date((*place, "date"), block["date"])
    return Revision(str(block["date"]), str(block["was"]), str(block["why"]), block["known"])


def _check_date(place: Place, value: Any) -> None:
    if not _is_date(str(value)):
        raise ClaimError(place, f"expected a date such as 2026-11-21, got {value}")


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text  # it also reads 20261121, which would not sort
    except ValueError:
        return False


def _role(place: Place, words: Any) -> Role:
    if not isinstance(words, str) or not 1 <= len(words.split()) <= 2:
        raise ClaimError(place, "expected a section, such as classifiers, or each or mean before it")
    *many, section = words.split()
    check_names(place, many, MANY)
    check_names(place, [section], SECTIONS, "the section")
    return Role(section, many[0] if many else "")
