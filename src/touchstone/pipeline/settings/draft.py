"""A study's settings as its files write them: merged, spelled out entry by entry, roles filled in; not yet checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from touchstone.claims.criteria import SHARED
from touchstone.messages import nearest
from touchstone.pipeline.settings import roles
from touchstone.pipeline.settings.files import Place
from touchstone.pipeline.settings.layers import Files, Layer
from touchstone.pipeline.settings.patterns import spelled_out
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.removals import absent_sources, figures_of, unknown_sources, without
from touchstone.pipeline.settings.roles import TEXTS, Roles, filled_in
from touchstone.pipeline.settings.sections import Entry, Section
from touchstone.pipeline.settings.shorthand import (
    DEFAULTS,
    FAMILY,
    component_of,
    family_names,
    merged,
    takes_list,
    with_defaults,
    with_families,
)
from touchstone.pipeline.settings.values import shown

Blocks = dict[str, dict[str, Any]]  # section -> entry -> its block


@dataclass
class Draft:
    """A study's settings, every entry written out.

    Attributes:
        blocks: section -> entry -> its block.
        roles: role -> the entries that play it.
        own: the entries that the study's own file writes; the others it inherits.
        removed: inherited entries that left the study.
        former: the entries of inherited families that the study's own file changes.
        inherited: the entries that an inherited overlay is the first to write.
    """

    blocks: Blocks
    roles: Roles = field(default_factory=dict)
    own: set[Entry] = field(default_factory=set)
    removed: set[Entry] = field(default_factory=set)
    former: set[Entry] = field(default_factory=set)
    inherited: set[Entry] = field(default_factory=set)


def written_out(files: Files, kinds: dict[str, Section], problems: Problems) -> Draft:
    """Return the settings of a study's files, merged and written out.

    Args:
        files: of the study.
        kinds: the sections of entries, by name.
        problems: receives every mistake.

    Raises:
        ParamsError: there are mistakes.
    """
    draft = Draft({})
    families: dict[str, list[str]] = {}
    own_sections: dict[str, Any] = {}
    for layer in files.layers:
        for section, blocks in layer.blocks.items():
            for name in blocks if isinstance(blocks, dict) else ():
                problems.written((section, name), layer.file)
        blocks, members = spelled_out(layer.blocks, problems)
        families |= members
        own_sections = blocks if layer.own else own_sections
        _merge(layer._replace(blocks=blocks), draft, kinds, problems)
    problems.stop()
    for section, kind in kinds.items():
        families |= _write_out(section, kind, own_sections.get(section) or {}, draft, problems)
    _drop_unlisted(files, kinds, draft)
    if files.questions is not None:
        _keep_questions(files.questions, draft, problems)
    problems.extend(unknown_sources(draft.blocks))
    problems.stop()
    draft.roles = roles.with_families(files.roles, families)
    _fill_roles(draft.blocks, kinds, draft.roles)
    figures = figures_of(draft.removed, draft.blocks, draft.own)
    absent = {Entry("sources", name) for name in absent_sources(draft.blocks)}
    draft.removed |= figures | without(draft.blocks, kinds, absent)
    draft.removed |= without(draft.blocks, kinds, draft.removed, _places(own_sections))
    return draft


def _merge(layer: Layer, draft: Draft, kinds: dict[str, Section], problems: Problems) -> None:
    """Change the draft as one file says."""
    for section, changes in layer.blocks.items():
        entries = draft.blocks.setdefault(section, {})
        for name, change in changes.items():
            place = (section, name)
            if layer.own and section in (*kinds, "confounding") and name != DEFAULTS:
                draft.own.add(Entry(section, name))
            if layer.overlay and name.endswith(FAMILY) and name in entries:
                draft.former |= {Entry(section, member) for member in family_names(name, entries[name])}
            if change is None and layer.overlay and section in (*kinds, "confounding", "claims"):
                _mark_removed(place, entries, draft, problems, inherited=not layer.own)
            elif change == {} and layer.overlay and name in entries:
                problems.add(place, "empty entry: it changes nothing; give settings, use:, or null to remove it")
            else:
                if layer.overlay and not layer.own and name not in entries:
                    draft.inherited.add(Entry(section, name))
                entries[name] = merged(entries.get(name), change)
                draft.removed.discard(Entry(section, name))  # a file between may have removed it


def _mark_removed(
    place: tuple[str, str], entries: dict[str, Any], draft: Draft, problems: Problems, *, inherited: bool
) -> None:
    """Remove an entry. An inherited file may remove one of a paper that the study does not list."""
    section, name = place
    draft.own.discard(Entry(section, name))
    families = [other for other in entries if other.endswith(FAMILY) and name.startswith(other[:-1])]
    if name in entries:
        del entries[name]
        draft.removed.add(Entry(section, name))
    elif families:
        entries[name] = None  # until the families are written out
    elif not inherited:
        problems.add(place, f"null removes an entry, but there is no such entry.{nearest(name, entries)}")


def _write_out(
    section: str, kind: Section, own: dict[str, Any], draft: Draft, problems: Problems
) -> dict[str, list[str]]:
    """Write out the families and the defaults of a section; return {family: its entries}.

    Args:
        section: its name.
        kind: what its entries may hold.
        own: the section as the study's own file writes it.
        draft: changed in place.
        problems: receives every mistake.

    Raises:
        ParamsError: there are mistakes in families.
    """
    blocks, families = with_families(section, draft.blocks.get(section) or {}, problems)
    for family, members in families.items():
        draft.own.discard(Entry(section, family))
        if isinstance(own.get(family), dict) and "eps" in own[family]:
            draft.own |= {Entry(section, member) for member in members}
    draft.removed |= {entry for entry in draft.former if entry.section == section and entry.name not in blocks}
    members = [member for names in families.values() for member in names]
    for name in [name for name, block in blocks.items() if block is None and Entry(section, name) not in draft.own]:
        if name not in members:
            problems.add((section, name), f"null removes an entry, but there is no such entry.{nearest(name, members)}")
        del blocks[name]
        draft.removed.add(Entry(section, name))
    problems.stop()
    draft.blocks[section] = with_defaults(section, kind, blocks, problems, own=DEFAULTS in own)
    _refuse_new_without_use(section, kind, draft, problems)
    return families


def _drop_unlisted(files: Files, kinds: dict[str, Section], draft: Draft) -> None:
    """Remove what inherited overlays ask for papers that the study does not list, or change about their entries."""
    listed = [*(paper.name for paper in files.papers), SHARED]
    for section, name in draft.inherited - draft.own:
        entries = draft.blocks[section]
        block = entries.get(name)
        if section == "claims":
            unlisted = name not in ("shared", *files.book.criteria)
        else:
            is_change = section in kinds and kinds[section].needs_use and isinstance(block, dict) and "use" not in block
            unlisted = is_change or (isinstance(block, dict) and block.get("system", SHARED) not in listed)
        if name in entries and unlisted:
            del entries[name]
            draft.removed.add(Entry(section, name))


def _refuse_new_without_use(section: str, kind: Section, draft: Draft, problems: Problems) -> None:
    """Record entries of an overlay that change nothing that exists and name no component."""
    entries = draft.blocks[section]
    for name, block in entries.items():
        new = Entry(section, name) in draft.own and isinstance(block, dict) and "use" not in block
        if problems.overlay and kind.needs_use and new:
            others = [other for other in entries if other != name]
            problems.add((section, name), f"no such entry; a new one needs its own use:.{nearest(name, others)}")


def _keep_questions(names: list[str], draft: Draft, problems: Problems) -> None:
    """Remove the inherited evaluations that the study does not list."""
    evaluations = draft.blocks.get("evaluations") or {}
    for name in names:
        if name not in evaluations:
            problems.add(
                ("questions",), f"no evaluation called {shown(name)}.{nearest(name, evaluations)}", problems.own
            )
    for name in list(evaluations):
        if name not in names and Entry("evaluations", name) not in draft.own:
            del evaluations[name]
            draft.removed.add(Entry("evaluations", name))


def _fill_roles(blocks: Blocks, kinds: dict[str, Section], players: Roles) -> None:
    """Replace the roles in all settings by the entries that play them."""
    for section, entries in blocks.items():
        kind = kinds.get(section)
        for name, block in entries.items():
            if isinstance(block, dict):
                component = component_of(kind, block.get("use")) if kind else None
                entries[name] = {
                    key: value
                    if key in TEXTS
                    else filled_in(value, players, many=kind is not None and takes_list(kind, component, key))
                    for key, value in block.items()
                }
    study = blocks.get("study")
    if study is not None:
        blocks["study"] = filled_in(study, players)


def _places(sections: dict[str, Any]) -> set[Place]:
    """Return the entries and the settings that the sections of a file write."""
    entries = {(section, name): block for section, blocks in sections.items() for name, block in (blocks or {}).items()}
    return {*entries, *((*place, key) for place, block in entries.items() if isinstance(block, dict) for key in block)}
