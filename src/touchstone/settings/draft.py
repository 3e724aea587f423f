"""A study's settings as its files write them: merged, spelled out entry by entry, roles filled in; not yet checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from touchstone.messages import nearest
from touchstone.settings import roles
from touchstone.settings.files import Place
from touchstone.settings.layers import ASKING, Files
from touchstone.settings.patterns import spelled_out
from touchstone.settings.problems import Problem, Problems
from touchstone.settings.removals import absent_sources, figures_of, unknown_sources, without
from touchstone.settings.roles import TEXTS, Roles, filled_in, names_role, role_in
from touchstone.settings.sections import Entry, Section
from touchstone.settings.shorthand import (
    DEFAULTS,
    component_of,
    family_block,
    merged,
    takes_list,
    with_defaults,
    with_families,
)
from touchstone.settings.study_layers import Layer

KINDS = (
    *("sources", "classifiers", "translators"),
    *("attacks", "margins", "detectors", "evaluations", "figures"),
)  # their entries are what their `use` is, and the `use` of a component in them
IDENTITY = {  # settings that make an entry what its name says
    "attacks": ("norm", "target"),
    "classifiers": ("clean_weight", "attack_inliers", "outliers_used", "outlier_weight"),
    "translators": ("shift", "clean_share"),
}
FREE = ("model",)  # except these: what a network is built of depends on a study's images
NEEDED = ("train", "validation", "test")  # data roles that most questions need
Blocks = dict[str, dict[str, Any]]  # section -> entry -> its block


@dataclass
class Draft:
    """A study's settings, every entry written out.

    Attributes:
        blocks: section -> entry -> its block.
        roles: role or group -> the entries that it stands for.
        own: the entries that the study itself changes or adds; the others it inherits.
        changed: those of them that the papers have, too; without a question about them, they leave the study.
        removed: inherited entries that left the study.
    """

    blocks: Blocks
    roles: Roles = field(default_factory=dict)
    own: set[Entry] = field(default_factory=set)
    changed: set[Entry] = field(default_factory=set)
    removed: set[Entry] = field(default_factory=set)


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
        _record_places(layer, problems)
        blocks, members = spelled_out(layer.blocks, problems)
        families |= members
        blocks = _without_groups(blocks, files.roles, draft, problems) if layer.own else blocks
        own_sections = blocks if layer.own else own_sections
        _merge(layer._replace(blocks=blocks), draft, kinds, problems)
    problems.stop()
    for section, kind in kinds.items():
        families |= _write_out(section, kind, own_sections.get(section) or {}, draft, problems)
    _keep_asked(files, draft)
    problems.extend(unknown_sources(draft.blocks))
    problems.stop()
    draft.roles = roles.with_families(files.roles, families)
    problems.extend(_unknown_sets(files, draft))
    problems.stop()
    _record_played(files, draft.blocks, problems)
    _fill_roles(draft.blocks, kinds, draft.roles)
    figures = figures_of(draft.removed, draft.blocks, draft.own, kinds["figures"].names.keys())
    absent = {Entry("sources", name) for name in absent_sources(draft.blocks)}
    draft.removed |= figures | without(draft.blocks, kinds, absent)
    draft.removed |= without(draft.blocks, kinds, draft.removed, _places(own_sections))
    return draft


def _record_places(layer: Layer, problems: Problems) -> None:
    """Record where a file writes its entries and their settings, so that mistakes are reported there."""
    at = layer.keys.get((), ())
    for place, keys in layer.keys.items():
        problems.written(place, layer.file, keys)
    for section, blocks in layer.blocks.items():
        for name, block in blocks.items() if isinstance(blocks, dict) else ():
            place = (section, name)
            problems.written(place, layer.file, layer.keys.get(place, (*at, *place)))
            for key in block if isinstance(block, dict) else ():
                keys = layer.keys.get((*place, key), (*layer.keys.get(place, (*at, *place)), key))
                problems.written((*place, key), layer.file, keys)


def _without_groups(sections: dict[str, Any], groups: Roles, draft: Draft, problems: Problems) -> dict[str, Any]:
    """Return the changes of a study, those of a group given to each of its entries; an entry's own change comes last."""
    changes: dict[str, Any] = {}
    for section, blocks in sections.items():
        entries = draft.blocks.get(section, {})
        of_groups: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for name, block in blocks.items():
            members = [] if name in entries or name not in groups else groups[name]
            known = [member for member in members if member in entries]
            for member, key in product(known, block if isinstance(block, dict) else ()):
                if key not in (blocks.get(member) or {}):
                    problems.written((section, member, key), problems.own, ("change", section, name, key))
            for member in known:
                of_groups[member] = merged(of_groups[member], block) if member in of_groups else block
            if not known:
                own[name] = block
        changes[section] = of_groups | {
            name: merged(of_groups[name], block) if name in of_groups else block for name, block in own.items()
        }
    return changes


def _merge(layer: Layer, draft: Draft, kinds: dict[str, Section], problems: Problems) -> None:
    """Change the draft as one file says."""
    for section, changes in layer.blocks.items():
        entries = draft.blocks.setdefault(section, {})
        before = dict(entries)
        for name, change in changes.items():
            if layer.own and section in (*kinds, "confounding") and name != DEFAULTS:
                draft.own.add(Entry(section, name))
                if name in entries and section not in ASKING:
                    draft.changed.add(Entry(section, name))
            if layer.own and section != "study" and change in ({}, None):
                problems.add((section, name), "empty entry: it changes nothing; give settings, or leave it out")
            if section in KINDS and layer.file == problems.own:
                family = family_block(name, before)
                old = merged(family, before[name]) if name in before else family
                _refuse_another_use((section, name), old, change, problems)
            entries[name] = merged(entries.get(name), change)


def _refuse_another_use(place: Place, old: Any, change: Any, problems: Problems) -> None:
    """Record an entry of the papers whose component a study changes: claims and captions would name what is not there.

    So are the components in it, such as the attack of a training, but for the model.
    """
    if not isinstance(old, dict) or not isinstance(change, dict):
        return
    for key in change.keys() & {*IDENTITY.get(place[0], ())} if len(place) == 2 else ():
        if change[key] != old.get(key):
            reason = f"{place[1]} would be another than its name and the papers' claims say; give yours another name"
            problems.add((*place, key), reason)
    if change.get("use", old.get("use")) != old.get("use"):
        name = " of ".join(reversed(place[1:]))
        reason = f"{name} uses {old.get('use')} in the papers, and their claims mean that; give yours another name"
        problems.add((*place, "use"), reason)
    for key in old.keys() & change.keys() - {*FREE}:
        _refuse_another_use((*place, key), old[key], change[key], problems)


def _write_out(
    section: str, kind: Section, own: dict[str, Any], draft: Draft, problems: Problems
) -> dict[str, list[str]]:
    """Write out the families and the defaults of a section; return {family: its entries}.

    Args:
        section: its name.
        kind: what its entries may hold.
        own: the section as the study itself changes it.
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
    problems.stop()
    draft.blocks[section] = with_defaults(section, kind, blocks, problems, own.get(DEFAULTS, {}))
    _refuse_new_without_use(section, kind, draft, problems)
    return families


def _refuse_new_without_use(section: str, kind: Section, draft: Draft, problems: Problems) -> None:
    """Record entries of an overlay that change nothing that exists and name no component."""
    entries = draft.blocks[section]
    for name, block in entries.items():
        new = Entry(section, name) in draft.own and isinstance(block, dict) and "use" not in block
        if kind.needs_use and new:
            others = [other for other in entries if other != name]
            elsewhere = next(
                (other for other, blocks in draft.blocks.items() if other != section and name in blocks), None
            )
            remedy = f"{name} is one of {elsewhere}, so write it there" if elsewhere else "a new one needs its own use:"
            hint = "" if elsewhere else nearest(name, others)
            problems.add((section, name), f"no such entry; {remedy}.{hint}")


def _keep_asked(files: Files, draft: Draft) -> None:
    """Remove the evaluations of papers that their grades do not ask and that the study does not change."""
    evaluations = draft.blocks.get("evaluations") or {}
    for name in [*evaluations, *files.unasked]:
        if name not in files.asked and Entry("evaluations", name) not in draft.own:
            evaluations.pop(name, None)
            draft.removed.add(Entry("evaluations", name))


def _unknown_sets(files: Files, draft: Draft) -> Iterator[Problem]:
    """Yield the sets that play a data role and that no file defines."""
    sets = draft.blocks.get("examples") or {}
    named: dict[Place, list[Any]] = {("groups", role): draft.roles[role] for role in files.data}
    lacking = [role for role in NEEDED if role in files.sentences and role not in files.data]
    if lacking:  # what was defined with the role is gone, too
        origins = {name: block.get("of") for name, block in sets.items() if isinstance(block, dict)}
        named |= {("examples", name, "of"): [of] for name, of in origins.items() if of and not names_role(of)}
    unknown = [(place, name) for place, names in named.items() for name in names if name not in sets]
    if unknown and lacking:
        yield Problem(("data",), f"gives no {' and no '.join(lacking)}, which most questions need")
    for place, name in unknown:
        yield Problem(place, f"no set called {name}.{'' if lacking else nearest(name, sets)}")


def _record_played(files: Files, blocks: Blocks, problems: Problems) -> None:
    """Record the settings whose value is that of a data role: a mistake in them is one of the study's data."""
    for section, entries in blocks.items():
        for name, block in entries.items():
            for key, value in block.items() if isinstance(block, dict) else ():
                if isinstance(value, str) and (role := files.played.get(role_in(value))):
                    problems.plays((section, name, key), ("data", role))


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
