"""params.yaml with the changes of a study's overlay: merged, and checked no deeper than the sections."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.settings.files import read_yaml
from touchstone.pipeline.settings.limits import ENTRIES
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.removals import without_orphans
from touchstone.pipeline.settings.sections import STUDY_SETTINGS, Entry, Section
from touchstone.pipeline.settings.values import shown

BASES = ("params", "none")  # what an overlay changes: params.yaml, or nothing, so that it is a study of its own


@dataclass
class Draft:
    """A study's settings as they are written, overlay included; below the sections nothing is checked yet."""

    blocks: dict[str, Any]  # section -> entry -> its block
    plugins: Any
    removed: set[Entry] = field(default_factory=set)  # what the overlay set to null, and what went with it


def read_draft(problems: Problems, kinds: dict[str, Section]) -> Draft:
    """Read the files of a study and apply its overlay.

    Args:
        problems: names the files and receives every mistake. Its `overlaid` is filled in. Its `base` becomes the overlay
            if that starts from nothing.
        kinds: the sections of entries, by name.

    Raises:
        ParamsError: a file is not readable, or sections of an overlay are wrong.
    """
    blocks = read_yaml(problems.base)
    plugins = blocks.pop("plugins", [])
    _check_sections(blocks, problems.base, problems, kinds)
    if problems.overlay is None:
        return Draft(blocks, plugins)
    overlay = read_yaml(problems.overlay)
    base = overlay.pop("base", BASES[0])
    if base not in BASES:
        reason = f"expected {' or '.join(BASES)}, got {shown(base)}; to start from another study, copy it"
        problems.add(("base",), reason, problems.overlay)
    elif base == "none":
        blocks, plugins, problems.base = {}, [], problems.overlay
    plugins = overlay.pop("plugins", plugins)
    _check_sections(overlay, problems.overlay, problems, kinds)
    problems.stop()
    removed = _apply(overlay, blocks, problems, kinds)
    removed |= without_orphans(blocks, removed, problems.overlaid)
    return Draft(blocks, plugins, removed)


def _check_sections(content: dict[str, Any], file: Path, problems: Problems, kinds: dict[str, Section]) -> None:
    names = [*kinds, *STUDY_SETTINGS, "confounding", "groups", "claims"]
    for name, block in content.items():
        if name not in names:
            reason = f"no such section. Sections are {', '.join(names)}.{nearest(name, names)}"
            problems.add((name,), reason, file)
        elif not isinstance(block, dict):
            problems.add((name,), f"expected entries, found {shown(block)}", file)
        elif len(block) > ENTRIES:
            reason = f"has {len(block):,} entries; a section may have at most {ENTRIES} entries"
            problems.add((name,), reason, file)


def _apply(
    overlay: dict[str, Any], blocks: dict[str, Any], problems: Problems, kinds: dict[str, Section]
) -> set[Entry]:
    """Change `blocks` as the overlay says; return the entries that it removes."""
    removed = set()
    for section, changes in overlay.items():
        entries = blocks.setdefault(section, {})
        needs_use = section in kinds and kinds[section].needs_use
        for name, change in changes.items():
            place = (section, name)
            problems.overlaid.add(place)
            if change is None and name not in entries:
                problems.add(place, f"null removes an entry, but there is no such entry.{nearest(name, entries)}")
            elif change is None:
                del entries[name]
                removed.add(Entry(section, name))
            elif needs_use and name not in entries and not (isinstance(change, dict) and "use" in change):
                problems.add(place, f"no such entry; a new one needs its own use:.{nearest(name, entries)}")
            elif change == {}:
                problems.add(place, "empty entry: it changes nothing; give settings, use:, or null to remove it")
            else:
                entries[name] = _merged(entries.get(name), change)
    return removed


def _merged(old: Any, change: Any) -> Any:
    """Return a value after a change. Blocks are merged key by key, unless the change names another component."""
    if not isinstance(old, dict) or not isinstance(change, dict):
        return change
    if "use" in change and change["use"] != old.get("use"):
        return change
    return old | {key: _merged(old.get(key), value) for key, value in change.items()}
