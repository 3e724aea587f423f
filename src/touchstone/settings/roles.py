"""Data roles and groups: names for a study's entries, so that an experiment fits every study. `$test` is one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.problems import Problems
from touchstone.settings.values import shown

ROLE = re.compile(r"\$([a-z][a-z0-9_]*)([/+].+)?")
TEXTS = ("question", "caption")  # settings that are prose, in which a $ means nothing


Roles = dict[str, list[str]]  # role -> the entries that play it


def names_role(value: object) -> bool:
    """Return whether a value names a role. After roles are filled in, it is a role that the study does not define."""
    return isinstance(value, str) and ROLE.fullmatch(value) is not None


def role_in(value: str) -> str:
    """Return the role that a value such as `$test` or `$test/pgd` names, "" if it names none."""
    match = ROLE.fullmatch(value)
    return match[1] if match else ""


def read_roles(written: Mapping[str, Any], problems: Problems) -> Roles:
    """Return the roles of a study, in their order. A role may name other roles."""
    roles: Roles = {}
    lists: dict[str, list[str]] = {}
    for name, players in written.items():
        place = ("groups", name)
        entries = players if isinstance(players, list) else [players]
        if not ROLE.fullmatch(f"${name}"):
            problems.add(place, "a group is named [a-z][a-z0-9_]*")
        elif not entries or not all(isinstance(entry, str) and entry for entry in entries):
            problems.add(place, f"expected an entry or a list of entries, got {shown(players)}")
        elif unknown := [entry for entry in entries if names_role(entry) and role_in(entry) not in written]:
            reason = f"no data role or group {role_in(unknown[0])}.{nearest(role_in(unknown[0]), written)}"
            problems.add(place, reason)
        else:
            lists[name] = entries
    for name, entries in lists.items():
        players = _players(entries, lists, (name,))
        if players is None:
            problems.add(("groups", name), "names itself, or a group that names it")
        else:
            roles[name] = list(dict.fromkeys(players))
    return roles


def _players(entries: list[str], lists: Mapping[str, list[str]], way: tuple[str, ...]) -> list[str] | None:
    """Return the entries behind a list that may name roles; None if they lead back to the way."""
    players: list[str] = []
    for entry in entries:
        match = ROLE.fullmatch(entry)
        if match is None:
            players.append(entry)
        elif match[1] in way or (more := _players(lists.get(match[1], []), lists, (*way, match[1]))) is None:
            return None
        else:
            players += [player + (match[2] or "") for player in more]
    return players


def filled_in(value: Any, roles: Roles, *, many: bool = False) -> Any:
    """Return a setting's value with the entries that play its roles. A role without entries stays as it is written.

    Args:
        value: as written.
        roles: of the study.
        many: whether the setting is a list; if not, a role of one entry gives that entry.
    """
    if isinstance(value, dict):
        return {key: item if key in TEXTS else filled_in(item, roles) for key, item in value.items()}
    if isinstance(value, list):
        items: list[Any] = []
        for item in value:
            filled = filled_in(item, roles, many=True)
            items += filled if isinstance(item, str) and isinstance(filled, list) else [filled]
        return items
    match = ROLE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[1] not in roles:
        return value
    entries, rest = roles[match[1]], match[2] or ""
    if rest:
        entries = [entry + rest for entry in entries]
    return list(entries) if many or len(entries) > 1 else entries[0]


def mentioned(value: Any, place: Place = ()) -> Iterator[tuple[Place, str]]:
    """Yield (keys, role) of every role that a value names."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in TEXTS:
                yield from mentioned(item, (*place, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from mentioned(item, (*place, str(index)))
    elif isinstance(value, str) and (role := role_in(value)):
        yield place, role


def with_families(roles: Roles, families: Mapping[str, list[str]]) -> Roles:
    """Return the roles with each family, such as `pgd_*`, replaced by its entries."""
    return {
        name: list(dict.fromkeys(member for entry in entries for member in families.get(entry, [entry])))
        for name, entries in roles.items()
    }
