"""The files behind a study: its papers, params.yaml and its overlay, read and checked no deeper than the sections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.claims.criteria import Book
from touchstone.messages import nearest
from touchstone.pipeline.settings.files import read_yaml
from touchstone.pipeline.settings.limits import ENTRIES
from touchstone.pipeline.settings.papers import Paper, read_papers
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.roles import Roles, mentioned, read_roles
from touchstone.pipeline.settings.sections import STUDY_SETTINGS, Section
from touchstone.pipeline.settings.shorthand import DEFAULTS, INHERITED
from touchstone.pipeline.settings.values import shown

BASES = ("params", "none")  # what an overlay changes: params.yaml, or nothing, so that it is a study of its own
LISTS = ("papers", "questions", "plugins")  # keys that hold a list; an overlay's list replaces the one of params.yaml


class Layer(NamedTuple):
    """The sections of one file, and whether that is the study's own file."""

    blocks: dict[str, Any]
    file: Path
    own: bool


@dataclass(frozen=True)
class Files:
    """What the files of a study say.

    Attributes:
        layers: the sections of every file; later layers change earlier ones.
        listed: the papers, as written.
        papers: the same, read.
        book: the claims of all papers.
        roles: role -> the entries that play it.
        questions: the names of the evaluations to keep of papers and params.yaml; None keeps all.
        plugins: folders, as written.
    """

    layers: list[Layer]
    listed: list[str]
    papers: list[Paper]
    book: Book
    roles: Roles
    questions: list[str] | None
    plugins: list[str]


def read_files(problems: Problems, kinds: dict[str, Section], root: Path) -> Files:
    """Read the files of a study.

    Args:
        problems: names the files and receives every mistake. Its `base` becomes the overlay if that starts from nothing.
        kinds: the sections of entries, by name.
        root: the folder of the Snakefile.

    Raises:
        ParamsError: a file is not readable, or its sections are wrong.
    """
    base = read_yaml(problems.base)
    own = base if problems.overlay is None else read_yaml(problems.overlay)
    if problems.overlay is not None and _starts_from_nothing(own, problems):
        base, problems.base = {}, problems.overlay
    lists = {key: _list_of_words(key, own if key in own else base, problems) for key in LISTS}
    roles = own.get("roles", {}) if own is base else _with_inherited(own.get("roles"), base)
    sections = [
        {key: block for key, block in content.items() if key not in (*LISTS, "roles")} for content in (base, own)
    ]
    layers = [Layer(sections[1], problems.overlay or problems.base, own=True)]
    if problems.overlay not in (None, problems.base):
        layers.insert(0, Layer(sections[0], problems.base, own=False))
    for layer in layers:
        _check_sections(layer, problems, [*kinds, *STUDY_SETTINGS, "confounding", "claims"])
    problems.stop()
    papers, book = read_papers(lists["papers"] or [], root, problems)
    layers = [Layer(paper.sections, paper.questions_file, own=False) for paper in papers] + layers
    for layer in layers[: len(papers)]:
        names = [name for name in kinds if name != "sources"]
        _check_sections(layer, problems, [*names, "confounding", "claims"])
        _check_names(layer, base, problems)
    problems.stop()
    resolved = read_roles(roles or {}, problems)
    _check_mentions(papers, [layer for layer in layers if layer.own], roles or {}, problems)
    problems.stop()
    return Files(layers, lists["papers"] or [], papers, book, resolved, lists["questions"], lists["plugins"] or [])


def _starts_from_nothing(overlay: dict[str, Any], problems: Problems) -> bool:
    base = overlay.pop("base", BASES[0])
    if base not in BASES:
        reason = f"expected {' or '.join(BASES)}, got {shown(base)}; to start from another study, copy it"
        problems.add(("base",), reason, problems.overlay)
    return bool(base == "none")


def _with_inherited(own: Any, base: dict[str, Any]) -> Any:
    """Return an overlay's roles with those that it inherits.

    Without roles of its own it inherits all. Otherwise it inherits none that names an example set: a study over other
    data must not test on a set of params.yaml because one role was forgotten.
    """
    inherited = base.get("roles") or {}
    if own is None or not isinstance(own, dict) or not isinstance(inherited, dict):
        return inherited if own is None else own
    data = set(base.get("examples") or {})
    heads = {f"${name}": _heads(players) for name, players in inherited.items()}
    while more := {role for role, entries in heads.items() if entries & data} - data:
        data |= more
    return dict(own) | {name: inherited[name] for name in inherited if name not in own and f"${name}" not in data}


def _heads(players: Any) -> set[str]:
    """Return what a role names, whatever was done to it: of `digits_test/pgd` the set, of `$id_test/pgd` the role."""
    listed = players if isinstance(players, list) else [players]
    return {re.split(r"[/+]", player)[0] for player in listed if isinstance(player, str)}


def _list_of_words(key: str, content: dict[str, Any], problems: Problems) -> list[str] | None:
    value = content.get(key)
    if value is not None and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
        what = {"papers": "papers", "questions": "evaluations", "plugins": "folders"}[key]
        problems.add((key,), f"expected a list of {what}, got {shown(value)}", problems.own)
        return None
    return value


def _check_sections(layer: Layer, problems: Problems, names: list[str]) -> None:
    for name, block in layer.blocks.items():
        if name not in names:
            reason = f"no such section. Sections are {', '.join(names)}.{nearest(name, names)}"
            if name == "groups":
                reason = "jobs handle the entries of a list role together; move each group to roles, as a list"
            problems.add((name,), reason, layer.file)
        elif not isinstance(block, dict):
            problems.add((name,), f"expected entries, found {shown(block)}", layer.file)
        elif len(block) > ENTRIES:
            reason = f"has {len(block):,} entries; a section may have at most {ENTRIES} entries"
            problems.add((name,), reason, layer.file)


def _check_names(layer: Layer, base: dict[str, Any], problems: Problems) -> None:
    """Record what a paper writes that would change entries of params.yaml or of other papers."""
    for section, block in layer.blocks.items():
        entries = block if isinstance(block, dict) and section != "claims" else {}
        if DEFAULTS in entries:
            reason = "would change the entries of others; write the settings into the paper's own entries"
            problems.add((section, DEFAULTS), reason, layer.file)
        others = base.get(section)
        for name, other in others.items() if isinstance(others, dict) else ():
            if name in entries and isinstance(other, dict) and "use" in other:
                problems.add((section, name), "params.yaml defines it, too; choose another name", layer.file)


def _check_mentions(papers: Iterable[Paper], own: Iterable[Layer], roles: Iterable[str], problems: Problems) -> None:
    """Record the roles that are named but not defined: by a paper's list of roles, or by the study."""
    names = list(roles)
    for paper in papers:
        used = set()
        for place, role in mentioned(paper.sections):
            used.add(role)
            if role not in paper.roles:
                reason = f"${role} is not in the paper's roles; describe it there.{nearest(role, paper.roles)}"
                problems.add(place, reason, paper.questions_file)
        for role in paper.roles.keys() - used if used <= paper.roles.keys() else ():
            problems.add(("roles", role), "nothing in this file names it; remove it", paper.questions_file)
    for layer in own:
        for place, role in mentioned(layer.blocks):
            in_list = place[-1].isdecimal()
            if f"${role}" == INHERITED and not in_list:
                problems.add(place, f"write it in a list: [{INHERITED}, ...]", layer.file)
            elif role not in names and f"${role}" != INHERITED:
                problems.add(
                    place,
                    f"the study has no role {role}; roles are {', '.join(names)}.{nearest(role, names)}",
                    layer.file,
                )
