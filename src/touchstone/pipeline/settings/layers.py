"""The files behind a study: its papers, params.yaml and overlays, read and checked no deeper than the sections."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.claims.criteria import SHARED, Book
from touchstone.messages import nearest
from touchstone.pipeline.settings.bases import Source, read_sources
from touchstone.pipeline.settings.limits import ENTRIES
from touchstone.pipeline.settings.papers import Paper, read_papers
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.roles import Roles, mentioned, read_roles
from touchstone.pipeline.settings.sections import STUDY_SETTINGS, Section
from touchstone.pipeline.settings.shorthand import DEFAULTS, INHERITED, merged
from touchstone.pipeline.settings.values import shown

LISTS = ("papers", "questions", "plugins")  # keys that hold a list; a later file's list replaces an earlier one's


class Layer(NamedTuple):
    """The sections of one file.

    Attributes:
        blocks: section -> what the file writes under it.
        file: that writes them.
        own: whether it is the study's own file.
        overlay: whether it is an overlay, which may remove entries of earlier files.
    """

    blocks: dict[str, Any]
    file: Path
    own: bool
    overlay: bool = False


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
        problems: names the files and receives every mistake. Its `base` becomes the first file.
        kinds: the sections of entries, by name.
        root: the folder of the Snakefile.

    Raises:
        ParamsError: a file is not readable, or its sections are wrong.
    """
    params = problems.base
    sources = read_sources(problems, root)
    papers: Any = []
    for source in sources:
        if isinstance(source.content.get("papers"), list):
            source.content["papers"] = papers = merged(papers, source.content["papers"])
    lists = {key: _inherited_list(key, sources, problems) for key in LISTS}
    roles = _inherited_roles(sources)
    layers = [
        Layer(
            {key: block for key, block in source.content.items() if key not in (*LISTS, "roles")},
            source.file,
            own=source is sources[-1],
            overlay=source.file != params,
        )
        for source in sources
    ]
    for layer in layers:
        _check_sections(layer, problems, [*kinds, *STUDY_SETTINGS, "confounding", "claims"])
    problems.stop()
    read, book = read_papers(lists["papers"] or [], root, problems)
    layers = [Layer(paper.sections, paper.questions_file, own=False) for paper in read] + layers
    for layer in layers[: len(read)]:
        names = [name for name in kinds if name != "sources"]
        _check_sections(layer, problems, [*names, "confounding", "claims"])
        if sources[0].file == params:
            _check_names(layer, sources[0].content, problems)
    problems.stop()
    if lists["questions"] is not None and "questions" not in sources[-1].content:
        lists["questions"] = _questions_of(read, lists["questions"], sources, layers)
    resolved = read_roles(roles or {}, problems)
    _check_mentions(read, [layer for layer in layers if layer.own], roles or {}, problems)
    problems.stop()
    return Files(layers, lists["papers"] or [], read, book, resolved, lists["questions"], lists["plugins"] or [])


def _inherited_roles(sources: list[Source]) -> Any:
    """Return the roles of a study: its own, and those that it inherits from the files before."""
    roles: Any = sources[0].content.get("roles", {})
    examples: dict[str, Any] = {}
    for before, source in pairwise(sources):
        written = before.content.get("examples")
        examples |= written if isinstance(written, dict) else {}
        roles = _with_inherited(source.content.get("roles"), {"roles": roles, "examples": examples})
    return roles


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
    """Return the first parts of what a role names: the set in `digits_test/pgd`, the role in `$id_test/pgd`."""
    listed = players if isinstance(players, list) else [players]
    return {re.split(r"[/+]", player)[0] for player in listed if isinstance(player, str)}


def _inherited_list(key: str, sources: list[Source], problems: Problems) -> list[str] | None:
    """Return the list of the last file that has one.

    To an inherited list of `questions`, add the evaluations that its own file and later files write.
    """
    place = max((place for place, source in enumerate(sources) if key in source.content), default=None)
    if place is None:
        return None
    words = _list_of_words(key, sources[place], problems)
    if words is None or key != "questions" or place == len(sources) - 1:
        return words
    kept = dict.fromkeys(words)
    for source in sources[place:]:
        evaluations = source.content.get("evaluations")
        for name, block in evaluations.items() if isinstance(evaluations, dict) else ():
            kept[name] = None
            if block is None:
                del kept[name]
    return list(kept)


def _questions_of(papers: list[Paper], inherited: list[str], sources: list[Source], layers: list[Layer]) -> list[str]:
    """Return the inherited questions of the papers that are listed, and all questions of papers that are newly listed."""
    inherited_papers = next((one.content["papers"] for one in sources[-2::-1] if "papers" in one.content), None)
    before = inherited_papers if isinstance(inherited_papers, list) else []
    sections = [layer.blocks.get("evaluations") or {} for layer in layers]
    blocks = {name: block for section in sections for name, block in section.items() if "use" in (block or ())}
    names = [
        name for name, block in blocks.items() if block.get("system") in (None, SHARED, *(one.name for one in papers))
    ]
    listed = sources[-1].content.get("papers") or before
    new = [paper for paper, written in zip(papers, listed, strict=True) if written not in before]
    kept = [name for name in inherited if name in names]
    return [*kept, *(name for paper in new for name in paper.sections.get("evaluations") or {} if name not in kept)]


def _list_of_words(key: str, source: Source, problems: Problems) -> list[str] | None:
    value = source.content[key]
    if value is not None and not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
        what = {"papers": "papers", "questions": "evaluations", "plugins": "folders"}[key]
        problems.add((key,), f"expected a list of {what}, got {shown(value)}", source.file)
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
