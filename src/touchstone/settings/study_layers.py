"""What a study's own file and params.yaml write, as sections of entries: sets, scale, machine and changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.settings.files import Place
from touchstone.settings.problems import Problems
from touchstone.settings.roles import ROLE
from touchstone.settings.shorthand import DEFAULTS, merged
from touchstone.settings.study_models import Defaults, Scale, StudyFile
from touchstone.settings.values import shown

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


def scale_layer(defaults: Defaults, file: Path) -> Layer:
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


def own_layer(study: StudyFile, problems: Problems) -> Layer:
    """Return what the study changes, with its title, its scale and its machine."""
    blocks: dict[str, Any] = {name: dict(block) for name, block in study.change.items() if name != GROUPS}
    scale = scale_layer(study, problems.own)
    for section, block in scale.blocks.items():
        blocks[section] = merged(block, blocks.get(section, {}))
    for name in ("seeds", "epochs", "learning_rate"):
        if getattr(study.scale, name) is not None and getattr(study.scale.classifiers, name, None) is not None:
            reason = f"scale.{name} says it, too; keep one of them"
            problems.add(("scale", "classifiers", name), reason, problems.own)
    for name in ("model", "attack"):
        if getattr(study.scale.classifiers, name, None) is not None:
            reason = f"every network writes its own {name}, so this would change none; change it there"
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


def data_layer(study: StudyFile, problems: Problems) -> tuple[Layer, dict[str, Any]]:
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
            section, written = "examples", _defined(value)
            names = _names(value)
            players[role] = names[0] if len(names) == 1 else names
            if not names or not all(isinstance(name, str) and name for name in names):
                reason = f"expected a set, a list of sets, or sets with settings, such as {PLAYER}, got {shown(value)}"
                problems.add(place, reason, problems.own)
            elif not ROLE.fullmatch(f"${role}"):
                problems.add(place, "a role consists of a-z, 0-9 and _, and starts with a letter", problems.own)
            elif twice := next((name for name in names if names.count(name) > 1), ""):
                problems.add(place, f"names {twice} twice; name it once", problems.own)
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


def _names(value: Any) -> list[Any]:
    """Return what plays a data role: a set, a list of sets, or the names of the sets that are defined with it."""
    if isinstance(value, list):
        return [name for item in value for name in (item if isinstance(item, dict) else [item])]
    return list(value) if isinstance(value, dict) else [value]


def _defined(value: Any) -> dict[str, Any]:
    """Return the sets that are defined with a data role, by name."""
    blocks = value if isinstance(value, list) else [value]
    return {name: block for item in blocks if isinstance(item, dict) for name, block in item.items()}
