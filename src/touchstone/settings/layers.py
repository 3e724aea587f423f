"""The files behind a study: its own, params.yaml, and the experiments of its papers, as sections of entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.claims.criteria import Book
from touchstone.messages import nearest
from touchstone.settings import papers as paper_folders
from touchstone.settings.files import ParamsError, read_yaml, study_file
from touchstone.settings.groups import check_known, data_role, given, groups_of
from touchstone.settings.limits import ENTRIES
from touchstone.settings.papers import Experimental, Paper, compare_additions, compare_entries, read_papers
from touchstone.settings.problems import Problems
from touchstone.settings.roles import Roles, mentioned, read_roles
from touchstone.settings.sections import Section
from touchstone.settings.shorthand import DEFAULTS, INHERITED
from touchstone.settings.study_layers import GROUPS, SETS, SOURCES, Layer, data_layer, own_layer, scale_layer
from touchstone.settings.study_models import CHOSEN, GRADES, MULTIVERSE, Defaults, Grade, StudyFile, read_model
from touchstone.settings.values import shown

ASKING = ("evaluations", "figures", "claims")  # sections that ask something of the entries of the others
UNASKED = "the study asks only chosen questions of the paper"  # a claim, unless the study says who plays its roles
UNTRIED = "the study tries {claim} in variants, and no other claim of the paper"
OWN_KEYS = ("base", "title", "pdf", "papers")  # all that a study with a base may write


@dataclass(frozen=True)
class Files:
    """What the files of a study say.

    Attributes:
        layers: the sections of every file; later layers change earlier ones.
        listed: the papers, as written.
        papers: the same, read.
        book: the claims of all papers.
        roles: role or group -> the entries that play it.
        asked: the evaluations of the papers that their grades ask.
        unasked: the evaluations of shipped papers that the study does not list.
        sentences: data role -> what plays it.
        plugins: folders, as written.
        seeds: claim -> the seeds of every network that it is about.
        data: the roles that the study gives.
        sources: the sources that it defines.
        sets: the sets that it defines in no role.
        played: group -> the one data role that it stands for.
        grades: paper, as pages name it -> the grade of its questions.
        tried: the papers of which one claim is tried in variants, with the grade that says how.
        words: entry -> what people call it.
        file: the study's own file; with a base, it is that of no layer.
    """

    layers: list[Layer]
    listed: list[str]
    papers: list[Paper]
    book: Book
    roles: Roles
    asked: list[str]
    unasked: list[str]
    sentences: dict[str, str]
    plugins: list[str]
    seeds: dict[str, list[int]]
    data: list[str]
    sources: list[str]
    sets: list[str]
    played: dict[str, str]
    grades: dict[str, str]
    tried: list[tuple[Paper, Grade]]
    words: dict[str, str]
    file: Path


def read_files(problems: Problems, kinds: dict[str, Section], root: Path) -> Files:
    """Read the files of a study.

    Args:
        problems: names the study's file and params.yaml, and receives every mistake.
        kinds: the sections of entries, by name.
        root: the folder of the Snakefile.

    Raises:
        ParamsError: a file is not readable, or its sections are wrong.
    """
    written = read_yaml(problems.own)
    study = read_model(StudyFile, written, problems.own, problems)
    base = _base(study, written, root, problems) if study and study.base else None
    params = None
    if problems.base.is_file() and problems.base != problems.own:
        params = read_model(Defaults, read_yaml(problems.base), problems.base, problems)
        if params and params.scale.claims:
            problems.add(("scale", "claims"), "a study says the seeds of its claims; write it there", problems.base)
    problems.stop()
    assert study is not None
    read, book = read_papers(study.papers, root, problems)
    own_file = problems.own
    if base is not None:
        study = base[1].model_copy(update={key: getattr(study, key) for key in ("title", "pdf", "papers")})
        problems.own = base[0]  # it wrote all that is read from here on
    graded: list[tuple[Experimental, str]] = list(zip(read, study.papers.values(), strict=True))
    common = paper_folders.common(problems) if study.papers else None
    if common is not None:
        graded.insert(0, (common, max(study.papers.values(), key=GRADES.index)))
    compare_additions(graded, problems)
    layers = [layer for one, word in graded for layer in _layers_of(one, word)]
    unlisted = _unlisted(read, problems) if common is not None else []
    layers[:0] = [layer for paper in unlisted for layer in _entries_of(paper, graded[0][1], read)]
    names = [name for name in kinds if name != SOURCES]
    for layer in layers:
        shared = common is not None and layer.file == common.file
        _check_sections(layer, problems, [*(kinds if shared else names), "confounding", "claims"])
    problems.stop()
    for paper in read:
        if common is not None:
            _check_defaults(paper, problems)
            compare_entries(paper, common, common.file.name, problems)
    own = own_layer(study, problems)
    data, players = data_layer(study, problems)
    layers += [*([scale_layer(params, problems.base)] if params else []), data, own]
    changes = {name: block for name, block in study.change.items() if name != GROUPS}
    _check_sections(own._replace(blocks=changes), problems, [*kinds, "confounding", "claims"])
    problems.stop()
    sentences = common.data_roles if common is not None else {}
    others = {name: words for paper in unlisted for name, words in paper.groups.items() if name not in sentences}
    groups: dict[str, Any] = dict(others)  # of networks that a study may change although it does not ask their paper
    for one, word in graded:
        groups |= groups_of(one.groups, one.file, (GROUPS,), problems)
        for name, grade in one.changes(word):
            groups |= groups_of(grade.groups, one.file, ("grades", name, GROUPS), problems)
    changed = study.change.get(GROUPS, {})
    named = {role for layer in layers for _, role in mentioned(layer.blocks)}
    named |= {role for words in (groups, changed, players) for _, role in mentioned(words)}
    known = {*groups, *named, *sentences}
    groups |= groups_of(changed, problems.own, ("change", GROUPS), problems)
    for role, words in players.items():
        groups[role] = words
        problems.written(("groups", role), problems.own, ("data", role))
    _check_mentions(layers, {*groups, *sentences}, problems)
    check_known(known, changed, players if study.papers else {}, sentences, problems)
    roles = read_roles(given(groups, sentences), problems)
    problems.stop()
    unasked = [name for paper in unlisted for name in paper.sections.get("evaluations") or {}]
    return Files(
        layers=layers,
        listed=list(study.papers),
        papers=read,
        book=book,
        roles=roles,
        asked=_asked(graded),
        unasked=unasked,
        sentences=sentences,
        plugins=study.plugins,
        seeds=study.scale.claims,
        data=list(players),
        sources=list(study.data.get(SOURCES) or {}),
        sets=[name for name, block in (study.data.get(SETS) or {}).items() if "use" in block],
        played={name: role for name in groups if (role := data_role(name, groups, players))},
        grades={str(one.facts.get("name")): word for one, word in graded if isinstance(one, Paper)},
        tried=[(one, one.grade(word)) for one, word in graded if isinstance(one, Paper) and word == MULTIVERSE],
        words={entry: text for one in (*unlisted, *(one for one, _ in graded)) for entry, text in one.words.items()},
        file=own_file,
    )


def _layers_of(one: Experimental, word: str) -> Iterator[Layer]:
    """Yield what a paper's file writes, and what its grade changes in it."""
    sections, grade = dict(one.sections), one.grade(word)
    if word == CHOSEN and isinstance(sections.get("claims"), dict):
        sections["claims"] = {
            name: cast if isinstance(cast, str) else UNASKED for name, cast in sections["claims"].items()
        }
    if word == MULTIVERSE and isinstance(one, Paper):
        sections["claims"] = _tried_claims(one, grade.claim or "")
    if grade.figures is not None:
        drawn = [*grade.figures, *grade.change.get("figures", {})]
        sections["figures"] = {name: block for name, block in (sections.get("figures") or {}).items() if name in drawn}
    yield Layer(sections, one.file)
    for name, each in one.changes(word):
        if each.change:
            yield Layer(one.with_system(each.change), one.file, keys={(): ("grades", name, "change")})


def _tried_claims(paper: Paper, claim: str) -> dict[str, Any]:
    """Return the casts of a paper's claims in its multiverse: of the one that is tried, and of what may break it."""
    criteria = paper.facts.get("criteria") or {}
    kept = {claim, *((criteria.get(claim) or {}).get("broken_by") or ())}
    reason = UNTRIED.format(claim=claim)
    casts = paper.sections.get("claims") or {}
    return {name: cast if name in kept or isinstance(cast, str) else reason for name, cast in casts.items()}


def _base(study: StudyFile, written: dict[str, Any], root: Path, problems: Problems) -> tuple[Path, StudyFile] | None:
    """Return the file of the study that another takes its data, scale, machine and changes from, and its content.

    Raises:
        ParamsError: there is no such study.
    """
    for key in written:
        if key not in OWN_KEYS:
            reason = f"it is that of {study.base}; a study with a base writes only {', '.join(OWN_KEYS)}"
            problems.add((key,), reason, problems.own)
    try:
        file = study_file(str(study.base), root)
    except ParamsError as error:
        problems.add(("base",), str(error), problems.own)
        return None
    found = read_model(StudyFile, read_yaml(file), file, problems)
    if found is not None and found.base:
        other = "" if str(found.base) == str(study.base) else f": {found.base}"
        problems.add(("base",), f"{study.base} has a base itself; name one that has none{other}", problems.own)
    return None if found is None else (file, found)


def _unlisted(listed: Iterable[Paper], problems: Problems) -> list[Paper]:
    """Return the shipped papers that a study does not list."""
    names = set(paper_folders.shipped()) - {paper.name for paper in listed if paper.is_shipped}
    return [paper_folders.read_paper(paper_folders.SHIPPED / name, problems) for name in sorted(names)]


def _entries_of(paper: Paper, word: str, listed: Iterable[Paper]) -> Iterator[Layer]:
    """Yield the entries of a paper that a study does not list; those that no listed paper names leave the study again.

    An entry whose name a listed paper has for its own is not among them.
    """
    sections = [item for other in listed for item in other.sections.items() if isinstance(item[1], dict)]
    taken = {(section, name) for section, block in sections for name in block}
    for layer in _layers_of(paper, word):
        blocks = {
            section: {name: entry for name, entry in (block or {}).items() if (section, name) not in taken}
            for section, block in layer.blocks.items()
            if section not in ASKING
        }
        yield layer._replace(blocks=blocks)


def _asked(graded: Iterable[tuple[Experimental, str]]) -> list[str]:
    """Return the evaluations that the grades of papers ask.

    Those that papers share are asked only beside a shipped paper, and in no multiverse.
    """
    asked: dict[str, None] = {}
    listed = [(one, word) for one, word in graded if word != MULTIVERSE or isinstance(one, Paper)]
    if not any(isinstance(one, Paper) and one.is_shipped for one, _ in listed):
        listed = [(one, word) for one, word in listed if isinstance(one, Paper)]
    for one, word in listed:
        grade = one.grade(word)
        evaluations = one.sections.get("evaluations") or {}
        asked |= dict.fromkeys(evaluations if grade.evaluations is None else grade.evaluations)
        asked |= dict.fromkeys(grade.change.get("evaluations", {}))
    return list(asked)


def _check_sections(layer: Layer, problems: Problems, names: list[str]) -> None:
    at = layer.keys.get((), ())
    for name, block in layer.blocks.items():
        if name not in names:
            reason = f"no such section. Sections are {', '.join(names)}.{nearest(name, names)}"
            problems.add((*at, name), reason, layer.file)
        elif not isinstance(block, dict):
            problems.add((*at, name), f"expected entries, found {shown(block)}", layer.file)
        elif len(block) > ENTRIES:
            reason = f"has {len(block):,} entries; a section may have at most {ENTRIES} entries"
            problems.add((*at, name), reason, layer.file)


def _check_defaults(paper: Paper, problems: Problems) -> None:
    """Record the defaults of a paper: they would change entries that papers share, or of other papers."""
    for section, block in paper.sections.items():
        if section != "claims" and isinstance(block, dict) and DEFAULTS in block:
            reason = "would change the entries of others; write the settings into the paper's own entries"
            problems.add((section, DEFAULTS), reason, paper.file)


def _check_mentions(layers: Iterable[Layer], names: set[str], problems: Problems) -> None:
    """Record the roles that are named but that nothing defines."""
    for layer in layers:
        for place, role in mentioned(layer.blocks):
            keys = (*layer.keys.get((), ()), *place)
            if f"${role}" == INHERITED:
                if not place[-1].isdigit():
                    reason = f"{INHERITED} stands for the list before in a list, as in [{INHERITED}, another]"
                    problems.add(keys, f"{reason}; leave {place[-1]} out to keep it", layer.file)
            elif role not in names:
                listed = ", ".join(sorted(names))
                problems.add(
                    keys, f"no data role or group {role}; there are {listed}.{nearest(role, names)}", layer.file
                )
