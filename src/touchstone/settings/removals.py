"""What leaves a study: what depends on a removed entry, an absent source or an open role, and what nothing reaches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.problems import Problem
from touchstone.settings.references import labels_read, reached_from
from touchstone.settings.roles import TEXTS, names_role
from touchstone.settings.sections import Entry, Section
from touchstone.settings.values import words

NAMING = ("evaluations", "figures")  # sections whose settings may name entries, too, not only their references
WORDS = (*TEXTS, "use", "system")  # settings that name no entry


def figures_of(
    removed: Collection[Entry], blocks: dict[str, Any], own: Collection[Entry], names: Collection[str]
) -> set[Entry]:
    """Delete the figures of papers that draw a removed evaluation; return them.

    A figure that also draws evaluations which the study does not have, draws the others, and what these measure.

    Args:
        removed: entries that left the study.
        blocks: section -> entry -> its block; changed in place.
        own: the entries that the study itself writes.
        names: the settings of figures that name what is drawn.
    """
    orphans = set()
    figures, evaluations = blocks.get("figures") or {}, blocks.get("evaluations") or {}
    for name, block in list(figures.items()):
        if not isinstance(block, dict) or Entry("figures", name) in own:
            continue
        if ("evaluations", str(block.get("evaluation"))) in removed:
            del figures[name]
            orphans.add(Entry("figures", name))
        elif isinstance(block.get("also"), list):
            lost = [other for other in block["also"] if str(other) not in evaluations]
            block["also"] = [other for other in block["also"] if other not in lost]
            drawn = [evaluations.get(str(other)) for other in (block.get("evaluation"), *block["also"])]
            for key in names & block.keys() if lost else ():
                if isinstance(block[key], list):
                    block[key] = [one for one in block[key] if one in set(words(drawn))]
    return orphans


def absent_sources(blocks: dict[str, Any]) -> list[str]:
    """Return the sources that scale.absent names; none if it is no list of names, which is refused elsewhere."""
    block = blocks.get("study")
    absent = block.get("absent", []) if isinstance(block, dict) else []
    return absent if isinstance(absent, list) and all(isinstance(name, str) for name in absent) else []


def unknown_sources(blocks: dict[str, Any]) -> Iterable[Problem]:
    """Yield the absent sources that the study does not have."""
    sources = blocks.get("sources") or {}
    for name in absent_sources(blocks):
        if name not in sources:
            yield Problem(("study", "absent"), f"no source called {name}.{nearest(name, sources)}")


def without(
    blocks: dict[str, Any], kinds: dict[str, Section], gone: Collection[Entry], kept: Collection[Place] = ()
) -> set[Entry]:
    """Delete entries from unchecked settings, and everything that depends on them or on a role that nothing plays.

    An entry is deleted if one of its references names a deleted entry, or if all items of a list of references do.
    Longer lists lose only those names: detection is then measured on the sets that remain. Claims stay as they are: a
    claim about a deleted entry is skipped, because a claim about the others would be a different one.

    Args:
        blocks: section -> entry -> its block.
        kinds: the sections of entries, by name.
        gone: the entries to delete; they may be deleted already.
        kept: entries, and settings of entries, that stay for the checks to see.

    Returns:
        Everything that was deleted.
    """
    deleted: set[Entry] = set()
    waiting = set(gone)
    while True:
        deleted |= waiting
        for section, name in waiting:
            (blocks.get(section) or {}).pop(name, None)
        waiting = {
            Entry(section, name)
            for section, kind in kinds.items()
            for name, block in (blocks.get(section) or {}).items()
            if isinstance(block, dict)
            and (section, name) not in kept
            and not _stays(block, (section, name), kind, deleted, kept)
        }
        if not waiting:
            return deleted


def _stays(block: dict[str, Any], place: Place, kind: Section, gone: set[Entry], kept: Collection[Place]) -> bool:
    """Delete what is gone from an entry's lists; return whether the entry still means something."""
    section = place[0]
    for key, value in block.items():
        if key in WORDS or (*place, key) in kept:
            continue
        names: set[str] = set()
        if key in kind.references:
            names = {entry.name for entry in gone if entry.section in kind.references[key].sections}
        elif section in NAMING:
            names = {entry.name for entry in gone if entry.section not in NAMING}
        if isinstance(value, str) and _is_gone(value, names):
            return False
        if isinstance(value, list) and any(_is_gone(item, names) for item in value):
            block[key] = [item for item in value if not _is_gone(item, names)]
            if not block[key]:
                return False
    return True


def _is_gone(value: Any, names: Collection[str]) -> bool:
    return isinstance(value, str) and (value in names or names_role(value))


def without_unreached(resolved: dict[str, Any], kinds: dict[str, Section], own: Collection[Entry]) -> set[Entry]:
    """Delete the inherited entries that no evaluation or figure reaches; return them.

    `all` means the entries that remain, so it reaches none.
    """
    reached = reached_from((entry for entry in own if entry.section in kinds), resolved, kinds)
    gone = {Entry(section, name) for section in kinds for name in resolved[section]} - reached
    for section, name in gone:
        del resolved[section][name]
    labels = labels_read(resolved)
    for name in [name for name in resolved["confounding"] if name not in labels]:
        if Entry("confounding", name) not in own:
            del resolved["confounding"][name]
            gone.add(Entry("confounding", name))
    return gone
