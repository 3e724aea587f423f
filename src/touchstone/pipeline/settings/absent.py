"""What is left of a study where a source cannot be had: everything that leans on it is taken out, and told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from touchstone.pipeline.settings.sections import GROUPED, Section

Entry = tuple[str, str]  # section, name
ASKED = ("evaluations", "figures")  # sections whose settings may name entries besides their references


def leave_out(raw: dict[str, Any], kinds: dict[str, Section], sources: Iterable[str]) -> set[Entry]:
    """Take sources out of unchecked settings, with all that leans on them; return what went, the sources included.

    An entry goes whose reference names one that went, or whose list of references holds no other. Longer lists, and
    groups, lose those names alone: detection is then asked on the sets that are there. Claims are left as they stand:
    one that asks for what went is not run, since the rest would be another claim.
    """
    gone: set[Entry] = set()
    waiting = {("sources", name) for name in sources}
    while waiting:
        gone |= waiting
        for section, name in waiting:
            raw[section].pop(name, None)
        waiting = {
            (section, name)
            for section, kind in kinds.items()
            for name, block in (raw.get(section) or {}).items()
            if isinstance(block, dict) and not _stays(block, section, kind, gone)
        }
    names = {name for section, name in gone if section in GROUPED}
    groups = raw.get("groups") or {}
    for name, members in list(groups.items()):
        if isinstance(members, list) and names & set(map(str, members)):
            groups[name] = [member for member in members if member not in names]
            if not groups[name]:
                del groups[name]
    return gone


def _stays(block: dict[str, Any], section: str, kind: Section, gone: set[Entry]) -> bool:
    """Take what went out of an entry's lists; return whether the entry still means something."""
    for key, value in block.items():
        if key in kind.references:
            names = {name for part, name in gone if part in kind.references[key].sections}
        elif section in ASKED:
            names = {name for _, name in gone}
        else:
            continue
        if isinstance(value, str) and value in names:
            return False
        if isinstance(value, list) and names & set(map(str, value)):
            block[key] = [item for item in value if item not in names]
            if not block[key]:
                return False
    return True
