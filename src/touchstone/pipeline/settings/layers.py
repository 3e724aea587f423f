"""The files behind a study: its own, params.yaml, and the experiments of its papers, as sections of entries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.claims.criteria import Book
from touchstone.messages import nearest
from touchstone.pipeline.settings import papers as paper_folders
from touchstone.pipeline.settings.files import Place, read_yaml
from touchstone.pipeline.settings.limits import ENTRIES
from touchstone.pipeline.settings.papers import Experimental, Paper, read_papers
from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.roles import ROLE, Roles, mentioned, read_roles, role_in
from touchstone.pipeline.settings.sections import Section
from touchstone.pipeline.settings.shorthand import DEFAULTS, INHERITED, merged
from touchstone.pipeline.settings.study_models import CHOSEN, GRADES, Defaults, Scale, StudyFile, read_model
from touchstone.pipeline.settings.values import shown

ASKING = ("evaluations", "figures", "claims")  # sections that ask something of the entries of the others
UNASKED = "the study asks only chosen questions of the paper"  # a claim, unless the study says who plays its roles
CALIBRATION = "calibration"  # the role that every study gives
PLAYER = "{digits_test: {use: digits, part: test}}"
SOURCES, SETS, GROUPS = "sources", "sets", "groups"  # keys of `data` and of `change` besides roles and sections


class Layer(NamedTuple):
    """Sections that one file writes.

    Attributes:
        blocks: section -> what it writes under it.
        file: that writes them.
        own: whether they are the study's own changes.
        keys: {place of an entry or of its setting: the keys that lead to it in the file}, where the two differ.
    """

    blocks: dict[str, Any]
    file: Path
    own: bool = False
    keys: dict[Place, Place] = {}  # noqa: RUF012 - never changed


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
        played: group -> the one data role that it stands for.
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
    played: dict[str, str]


def read_files(problems: Problems, kinds: dict[str, Section], root: Path) -> Files:
    """Read the files of a study.

    Args:
        problems: names the study's file and params.yaml, and receives every mistake.
        kinds: the sections of entries, by name.
        root: the folder of the Snakefile.

    Raises:
        ParamsError: a file is not readable, or its sections are wrong.
    """
    study = read_model(StudyFile, read_yaml(problems.own), problems.own, problems)
    params = None
    if problems.base.is_file() and problems.base != problems.own:
        params = read_model(Defaults, read_yaml(problems.base), problems.base, problems)
    problems.stop()
    assert study is not None
    read, book = read_papers(study.papers, root, problems)
    graded: list[tuple[Experimental, str]] = list(zip(read, study.papers.values(), strict=True))
    common = paper_folders.common(problems) if study.papers else None
    if common is not None:
        graded.insert(0, (common, max(study.papers.values(), key=GRADES.index)))
    layers = [layer for one, word in graded for layer in _layers_of(one, word)]
    unlisted = _unlisted(read, problems) if common is not None else []
    layers[:0] = [layer for paper in unlisted for layer in _cast_of(paper, graded[0][1], read)]
    names = [name for name in kinds if name != SOURCES]
    for layer in layers:
        shared = common is not None and layer.file == common.file
        _check_sections(layer, problems, [*(kinds if shared else names), "confounding", "claims"])
    problems.stop()
    for paper in read:
        if common is not None:
            _check_names(paper, common, problems)
    own = _own_layer(study, problems)
    data, players = _data_layer(study, problems)
    layers += [*([_scale_layer(params, problems.base)] if params else []), data, own]
    changes = {name: block for name, block in study.change.items() if name != GROUPS}
    _check_sections(own._replace(blocks=changes), problems, [*kinds, "confounding", "claims"])
    problems.stop()
    groups: dict[str, Any] = {}
    for one, word in graded:
        for block, at in ((one.groups, ()), (one.grade(word).groups, ("grades", word))):
            groups |= _groups(block, one.file, (*at, GROUPS), problems)
    sentences = common.data_roles if common is not None else {}
    changed = study.change.get(GROUPS, {})
    named = {role for layer in layers for _, role in mentioned(layer.blocks)}
    named |= {role for words in (groups, changed, players) for _, role in mentioned(words)}
    known = {*groups, *named, *sentences}
    groups |= _groups(changed, problems.own, ("change", GROUPS), problems)
    for role, words in players.items():
        groups[role] = words
        problems.written(("groups", role), problems.own, ("data", role))
    _check_mentions(read, layers, {*groups, *sentences}, problems)
    _check_known(known, changed, players if study.papers else {}, sentences, problems)
    roles = read_roles(_given(groups, sentences), problems)
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
        played={name: role for name in groups if (role := _data_role(name, groups, players))},
    )


def _layers_of(one: Experimental, word: str) -> Iterator[Layer]:
    """Yield what a paper's file writes, and what its grade changes in it."""
    sections, grade = dict(one.sections), one.grade(word)
    if word == CHOSEN and isinstance(sections.get("claims"), dict):
        sections["claims"] = {
            name: cast if isinstance(cast, str) else UNASKED for name, cast in sections["claims"].items()
        }
    if grade.figures is not None:
        drawn = [*grade.figures, *grade.change.get("figures", {})]
        sections["figures"] = {name: block for name, block in (sections.get("figures") or {}).items() if name in drawn}
    yield Layer(sections, one.file)
    if grade.change:
        yield Layer(one.with_system(grade.change), one.file, keys={(): ("grades", word, "change")})


def _unlisted(listed: Iterable[Paper], problems: Problems) -> list[Paper]:
    """Return the shipped papers that a study does not list."""
    names = set(paper_folders.shipped()) - {paper.name for paper in listed if paper.is_shipped}
    return [paper_folders.read_paper(paper_folders.SHIPPED / name, problems) for name in sorted(names)]


def _cast_of(paper: Paper, word: str, listed: Iterable[Paper]) -> Iterator[Layer]:
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
    """Return the evaluations that the grades of papers ask; those that papers share only beside a shipped paper."""
    asked: dict[str, None] = {}
    listed = list(graded)
    if not any(isinstance(one, Paper) and one.is_shipped for one, _ in listed):
        listed = [(one, word) for one, word in listed if isinstance(one, Paper)]
    for one, word in listed:
        grade = one.grade(word)
        evaluations = one.sections.get("evaluations") or {}
        asked |= dict.fromkeys(evaluations if grade.evaluations is None else grade.evaluations)
        asked |= dict.fromkeys(grade.change.get("evaluations", {}))
    return list(asked)


def _groups(written: dict[str, Any], file: Path, at: Place, problems: Problems) -> dict[str, Any]:
    """Return the groups of a file; record where they stand, and those without entries."""
    for name, words in written.items():
        problems.written(("groups", name), file, (*at, name))
        if not words:
            problems.add((*at, name), f"a group has at least one entry, got {shown(words)}", file)
    return written


def _check_known(
    known: set[str], groups: dict[str, Any], players: dict[str, Any], sentences: dict[str, str], problems: Problems
) -> None:
    """Record the groups and data roles of a study that no file names: they would change nothing."""
    for name in groups:
        if name not in known:
            reason = f"nothing names a group {name}.{nearest(name, known)}"
            problems.add(("change", GROUPS, name), reason, problems.own)
    for role in players:
        if role not in known:
            listed = ", ".join(sentences)
            reason = f"no paper reads this role. Roles are {listed}.{nearest(role, sentences)}"
            problems.add(("data", role), reason, problems.own)


def _data_role(name: str, groups: dict[str, Any], players: dict[str, Any]) -> str:
    """Return the one data role whose sets a group or role stands for; "" if there is none."""
    seen: set[str] = set()
    while name and name not in players and name not in seen:
        seen.add(name)
        words = groups.get(name)
        only = words[0] if isinstance(words, list) and len(words) == 1 else words
        name = role_in(only) if isinstance(only, str) else ""
    return name if name in players else ""


def _given(groups: dict[str, Any], sentences: dict[str, str]) -> dict[str, Any]:
    """Return groups without the data roles that the study does not give; a group with nothing left is not given either."""
    lacking = {f"${role}" for role in sentences.keys() - groups.keys()}
    while True:
        kept = {
            name: [one for one in words if not isinstance(one, str) or one not in lacking]
            if isinstance(words, list)
            else words
            for name, words in groups.items()
        }
        kept = {
            name: words for name, words in kept.items() if words and not (isinstance(words, str) and words in lacking)
        }
        more = {f"${name}" for name in groups.keys() - kept.keys()}
        if not more:
            return kept
        lacking, groups = lacking | more, kept


def _scale_layer(defaults: Defaults, file: Path) -> Layer:
    """Return what a file says of scale and machine, as settings of the section `study` and defaults of the trainings."""
    blocks: dict[str, dict[str, Any]] = {}
    keys: dict[Place, Place] = {}
    compute = {name: value for name, value in defaults.compute if value is not None}
    for part, settings in (("compute", compute), ("scale", dict(_scaled(defaults.scale)))):
        if settings:
            blocks["study"] = blocks.get("study", {}) | settings
            keys |= {("study", name): (part, name) for name in settings}
    for section in ("classifiers", "translators"):
        if trained := _trained(defaults.scale, section):
            blocks[section] = {DEFAULTS: {key: value for key, (value, _) in trained.items()}}
            keys |= {(section, DEFAULTS, key): place for key, (_, place) in trained.items()}
    return Layer(blocks, file, keys=keys)


def _own_layer(study: StudyFile, problems: Problems) -> Layer:
    """Return what the study changes, with its title, its scale and its machine."""
    blocks: dict[str, Any] = {name: dict(block) for name, block in study.change.items() if name != GROUPS}
    scale = _scale_layer(study, problems.own)
    for section, block in scale.blocks.items():
        blocks[section] = merged(block, blocks.get(section, {}))
    for name in ("seeds", "epochs", "learning_rate"):
        if getattr(study.scale, name) is not None and getattr(study.scale.classifiers, name, None) is not None:
            reason = f"scale.{name} says it, too; keep one of them"
            problems.add(("scale", "classifiers", name), reason, problems.own)
    settings = {CALIBRATION: f"${CALIBRATION}", "title": study.title, "pdf": study.pdf}
    blocks["study"] = {name: value for name, value in settings.items() if value is not None} | blocks.get("study", {})
    keys = {(): ("change",), ("study", CALIBRATION): ("data", CALIBRATION)} | scale.keys
    keys |= {("study", name): (name,) for name in ("title", "pdf")}
    return Layer({name: block for name, block in blocks.items() if block}, problems.own, own=True, keys=keys)


def _scaled(scale: Scale) -> Iterator[tuple[str, Any]]:
    """Yield the settings of a study that its scale writes."""
    for name in ("first_seed", "false_positive_rates", "attacked_false_positive_rate", "absent"):
        if (value := getattr(scale, name)) is not None:
            yield name, value


def _trained(scale: Scale, section: str) -> dict[str, tuple[Any, Place]]:
    """Return {setting: (default, the keys that wrote it)} of the trainings of a section."""
    defaults: dict[str, tuple[Any, Place]] = {}
    if scale.seeds is not None:
        defaults["seeds"] = scale.seeds, ("scale", "seeds")
    for name in ("epochs", "learning_rate") if section == "classifiers" else ():
        if (value := getattr(scale, name)) is not None:
            defaults[name] = value, ("scale", name)
    written = scale.classifiers if section == "classifiers" else scale.translators
    defaults |= {name: (value, ("scale", section, name)) for name, value in written if value is not None}
    return defaults


def _data_layer(study: StudyFile, problems: Problems) -> tuple[Layer, dict[str, Any]]:
    """Return the sets that the study defines, and {data role: the sets that play it}."""
    blocks: dict[str, dict[str, Any]] = {SOURCES: {}, "examples": {}}
    keys: dict[Place, Place] = {}
    players: dict[str, Any] = {}
    if CALIBRATION not in study.data:
        reason = (
            f"must be given: a set of clean images for thresholds, which no network was trained on, such as {PLAYER}"
        )
        problems.add(("data", CALIBRATION), reason, problems.own)
    for role, value in study.data.items():
        place = ("data", role)
        if role in (SOURCES, SETS):
            section = SOURCES if role == SOURCES else "examples"
            written = value if isinstance(value, dict) else {}
            if not isinstance(value, dict):
                problems.add(place, f"expected entries by name, got {shown(value)}", problems.own)
        else:
            section, written = "examples", value if isinstance(value, dict) else {}
            players[role] = _players(value)
            names = list(value) if isinstance(value, list | dict) else [value]
            if not names or not all(isinstance(name, str) and name for name in names):
                reason = f"expected a set, a list of sets, or sets with settings, such as {PLAYER}, got {shown(value)}"
                problems.add(place, reason, problems.own)
            elif not ROLE.fullmatch(f"${role}"):
                problems.add(place, "a role consists of a-z, 0-9 and _, and starts with a letter", problems.own)
            elif role == CALIBRATION and len(names) > 1:
                problems.add(place, f"expected one set, got {shown(names)}", problems.own)
        for name, block in written.items():
            if name in blocks[section]:
                problems.add((*place, name), "is defined twice", problems.own)
            elif not isinstance(block, dict) or not block:
                problems.add((*place, name), f"expected settings, got {shown(block)}", problems.own)
            blocks[section][name] = block
            keys[(section, name)] = (*place, name)
    return Layer({name: block for name, block in blocks.items() if block}, problems.own, keys=keys), players


def _players(value: Any) -> Any:
    """Return the sets that play a data role: the names of those that it defines, or what it names."""
    names = list(value) if isinstance(value, dict) else value
    return names[0] if isinstance(names, list) and len(names) == 1 else names


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


def _check_names(paper: Paper, common: Experimental, problems: Problems) -> None:
    """Record what a paper writes that would change entries that papers share, or of other papers."""
    for section, block in paper.sections.items():
        entries = block if isinstance(block, dict) and section != "claims" else {}
        if DEFAULTS in entries:
            reason = "would change the entries of others; write the settings into the paper's own entries"
            problems.add((section, DEFAULTS), reason, paper.file)
        others = common.sections.get(section)
        for name in others if isinstance(others, dict) else ():
            if name in entries:
                problems.add((section, name), f"{common.file.name} defines it, too; choose another name", paper.file)


def _check_mentions(papers: Iterable[Paper], layers: Iterable[Layer], names: set[str], problems: Problems) -> None:
    """Record the roles that are named but that nothing defines."""
    for layer in layers:
        for place, role in mentioned(layer.blocks):
            if role not in names and f"${role}" != INHERITED:
                keys = (*layer.keys.get((), ()), *place)
                listed = ", ".join(sorted(names))
                problems.add(
                    keys, f"no data role or group {role}; there are {listed}.{nearest(role, names)}", layer.file
                )
