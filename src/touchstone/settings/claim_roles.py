"""Claims of a study: for each, the entries that play its roles, or in words why the study does not test it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from touchstone.claims.criteria import Book, Criterion
from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.problems import Problems
from touchstone.settings.roles import mentioned
from touchstone.settings.sections import Entry
from touchstone.settings.study_models import FULL
from touchstone.settings.values import shown

ABSENT = " is not in this study"  # after the entry, in the reason of a claim about what left the study
Players = dict[str, str | list[str]]  # role -> the entry or entries that play it


def resolve_claims(
    written: dict[str, Any],
    sentences: Mapping[str, str],
    book: Book,
    grades: Mapping[str, str],
    resolved: dict[str, Any],
    removed: Collection[Entry],
    problems: Problems,
) -> dict[str, str | Players]:
    """Return, for each claim that the study names, who plays its roles, or why it is not run.

    Args:
        written: the section `claims` as the files write it. Its key `shared` gives roles to all claims.
        sentences: data role -> what plays it.
        book: the claims of the study's papers.
        grades: paper, as pages name it -> the grade of its questions.
        resolved: the settings of all other sections.
        removed: the entries that left the study.
        problems: receives every mistake.
    """
    criterion_roles = {name for criterion in book.criteria.values() for name in criterion.roles}
    blocks = dict(written)
    shared = blocks.pop("shared", None) or {}
    if not isinstance(shared, dict):
        problems.add(("claims", "shared"), f"expected roles, got {shown(shared)}")
        return {}
    for role in shared:
        if role not in criterion_roles:
            problems.add(("claims", "shared", role), f"no claim has such a role.{nearest(role, criterion_roles)}")
    claims: dict[str, str | Players] = {}
    for name, block in blocks.items():
        place = ("claims", name)
        if name in book.published:
            about = [key for key, criterion in book.criteria.items() if name in criterion.scales]
            listed = ", ".join(about) or "none"
            problems.add(place, f"a published figure, which no study can test; the criteria about it: {listed}")
        elif name not in book.criteria:
            problems.add(place, f"no such claim.{nearest(name, book.criteria)}")
        elif isinstance(block, dict):
            lacking = [role for _, role in mentioned(shared | block)]
            if lacking:
                claims[name] = (
                    f"the study gives no data role {lacking[0]}: {sentences.get(lacking[0], 'see the paper')}"
                )
            else:
                criterion = book.criteria[name]
                cast = players(place, criterion, block, shared, resolved, removed, problems)
                claims[name] = (
                    f"{cast.name} ({cast.section}){_absent(criterion, grades)}" if isinstance(cast, Entry) else cast
                )
        elif isinstance(block, str) and block.strip():
            claims[name] = block
        else:
            problems.add(place, f"expected its roles, or a text that says why it is not run, got {shown(block)}")
    if "claims" in resolved["evaluations"]:
        problems.add(("evaluations", "claims"), "the name is taken by the section claims")
    return claims


def _absent(criterion: Criterion, grades: Mapping[str, str]) -> str:
    """Say that the study lacks an entry of a claim, and whether it asks only some questions of the paper."""
    grade = grades.get(criterion.paper, FULL)
    asked = "" if grade == FULL else f", which asks {criterion.paper} at the grade {grade}"
    return f"{ABSENT}{asked}"


def players(
    place: Place,
    criterion: Criterion,
    block: dict[str, Any],
    shared: dict[str, Any],
    resolved: Mapping[str, Any],
    removed: Collection[Entry],
    problems: Problems,
) -> Entry | Players:
    """Return who plays the roles of a claim; if one of these left the study, only that entry."""
    for role in block:
        if role not in criterion.roles:
            listed = f"Its roles are {', '.join(criterion.roles)}." if criterion.roles else "It has none."
            problems.add((*place, role), f"not a role. {listed}{nearest(role, criterion.roles)}")
    players_of: Players = {}
    for role, (section, many) in criterion.roles.items():
        if role not in block and role not in shared:
            continue
        where = (*place, role) if role in block else ("claims", "shared", role)
        written: Any = block.get(role, shared.get(role))
        entries: list[Any] = written if isinstance(written, list) and many else [written]
        for entry in entries:
            if not isinstance(entry, str):
                listed = " or a list of them" if many else ""
                problems.add(where, f"expected an entry of {section}{listed}, got {shown(entry)}")
            elif entry not in resolved[section]:
                if (section, entry) in removed:
                    return Entry(section, entry)
                problems.add(where, f"no entry called {entry} in {section}.{nearest(entry, resolved[section])}")
        players_of[role] = entries if many else written
    for role in criterion.together:
        first = criterion.together[0]
        if len(players_of.get(role, [])) != len(players_of.get(first, [])):
            wrong, other = (first, role) if problems.is_own((*place, first)) else (role, first)
            reason = f"is compared with {other} entry by entry; give as many entries, in the same order"
            problems.add((*place, wrong), reason)
    return players_of
