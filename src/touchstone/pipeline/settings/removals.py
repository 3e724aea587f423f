"""What leaves a study along with a removed entry or an absent source: everything that depends on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.settings.files import Place
from touchstone.pipeline.settings.problems import Problem
from touchstone.pipeline.settings.sections import GROUPED, Entry, Section

NAMING = ("evaluations", "figures")  # sections whose settings may name entries, too, not only their references


def without_orphans(blocks: dict[str, Any], removed: set[Entry], overlaid: Collection[Place]) -> set[Entry]:
    """Delete from `blocks` the figures of removed evaluations, and removed entries from groups.

    What the overlay itself says stays as it is, for the checks to see.

    Returns:
        The figures that were deleted.
    """
    orphans = set()
    figures = blocks.get("figures") or {}
    for name, block in list(figures.items()):
        evaluation = block.get("evaluation") if isinstance(block, dict) else None
        if ("evaluations", str(evaluation)) in removed and ("figures", name) not in overlaid:
            del figures[name]
            orphans.add(Entry("figures", name))
    _leave_groups(blocks, removed, overlaid)
    return orphans


def absent_sources(blocks: dict[str, Any]) -> list[str]:
    """Return the sources that study.absent names; none if it is no list of names, which is refused elsewhere."""
    block = blocks.get("study")
    absent = block.get("absent", []) if isinstance(block, dict) else []
    return absent if isinstance(absent, list) and all(isinstance(name, str) for name in absent) else []


def unknown_sources(blocks: dict[str, Any]) -> Iterable[Problem]:
    """Yield the absent sources that the study does not have."""
    sources = blocks.get("sources") or {}
    for name in absent_sources(blocks):
        if name not in sources:
            yield Problem(("study", "absent"), f"no source called {name}.{nearest(name, sources)}")


def without_sources(blocks: dict[str, Any], kinds: dict[str, Section], sources: Iterable[str]) -> set[Entry]:
    """Delete sources from unchecked settings, and everything that depends on them.

    An entry is deleted if one of its references names a deleted entry, or if all items of a list of references do.
    Longer lists, and groups, lose only those names: detection is then measured on the sets that remain. Claims stay as
    they are: a claim about a deleted entry is skipped, because a claim about the others would be a different one.

    Returns:
        Everything that was deleted, the sources included.
    """
    gone: set[Entry] = set()
    waiting = {Entry("sources", name) for name in sources}
    while waiting:
        gone |= waiting
        for section, name in waiting:
            blocks[section].pop(name, None)
        waiting = {
            Entry(section, name)
            for section, kind in kinds.items()
            for name, block in (blocks.get(section) or {}).items()
            if isinstance(block, dict) and not _stays(block, section, kind, gone)
        }
    _leave_groups(blocks, gone)
    return gone


def _leave_groups(blocks: dict[str, Any], gone: set[Entry], overlaid: Collection[Place] = ()) -> None:
    """Delete entries from the groups that name them, and groups that become empty."""
    names = {entry.name for entry in gone if entry.section in GROUPED}
    groups = blocks.get("groups") or {}
    for name, members in list(groups.items()):
        if isinstance(members, list) and ("groups", name) not in overlaid and names & set(map(str, members)):
            groups[name] = [member for member in members if str(member) not in names]
            if not groups[name]:
                del groups[name]


def _stays(block: dict[str, Any], section: str, kind: Section, gone: set[Entry]) -> bool:
    """Delete what is gone from an entry's lists; return whether the entry still means something."""
    for key, value in block.items():
        if key in kind.references:
            names = {entry.name for entry in gone if entry.section in kind.references[key].sections}
        elif section in NAMING:
            names = {entry.name for entry in gone}
        else:
            continue
        if isinstance(value, str) and value in names:
            return False
        if isinstance(value, list) and names & set(map(str, value)):
            block[key] = [item for item in value if str(item) not in names]
            if not block[key]:
                return False
    return True
