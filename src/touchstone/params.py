"""Reads params.yaml and a study's overlay, checks every value against the signatures, and fills in the defaults."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from touchstone import criteria, families, registry
from touchstone.contracts import Bounds
from touchstone.registry import Setting, Type

DEFAULT_STUDY = "digits"
BASES = ("params", "none")  # what an overlay changes: params.yaml, or nothing, so that it is a study of its own
NAME = re.compile(r"[a-z][a-z0-9_]*")


class ParamsError(ValueError):
    """Everything that is wrong with the settings of a study, one line each."""


@dataclass(frozen=True)
class Reference:
    """A setting that names entries of the study."""

    sections: tuple[str, ...]
    many: bool = False
    required: bool = False
    default: Any = None  # "all" where every entry of the section is meant
    bare: bool = False  # one name may stand for a list of one
    everything: tuple[str, ...] = ()  # the sections that "all" means, where not all of them


@dataclass(frozen=True)
class Section:
    """What the entries of one section hold besides their component's settings; without folders they use none."""

    folders: tuple[str, ...]
    settings: dict[str, Setting] = field(default_factory=dict)
    references: dict[str, Reference] = field(default_factory=dict)


# The chapters of the report that an evaluation may stand in.
SYSTEMS = ("gradient_detection", "aloe", "margin_consistency", "fgsm", "translation", "shared")
GROUPED = ("examples", "attacks", "detectors", "translators")  # what one job may do together
# A classifier may be a file instead of a training run: then these stand in for what a training run needs.
FILE_SETTINGS: dict[str, Setting] = {
    "model": Setting(Type("nested", folder="models"), required=True),
    "input_shape": Setting(Type("list", item=Type("int", Bounds(low=1))), required=True),
    "classes": Setting(Type("int", Bounds(low=2)), required=True),
    "mean": Setting(Type("list", item=Type("float"))),
    "std": Setting(Type("list", item=Type("float", Bounds(above=0)))),
}
PLANNED = ("seed", "device", "architecture")  # what the plan gives to the train step, not an entry

_count = Type("int", Bounds(low=1))
_seed = Type("int", Bounds(low=0))
_text = Setting(Type("str"), required=True)


def _trained(*more: tuple[str, Reference]) -> Section:
    step = registry.read_signature(registry.PACKAGE / "steps" / "train.py", "train", strict=False)
    assert step is not None
    settings = {name: setting for name, setting in step.settings.items() if name not in PLANNED}
    settings["seeds"] = Setting(Type("list", item=_seed), [0])
    settings["model"] = Setting(Type("nested", folder="models"), required=True)
    references = {
        "train": Reference(("examples",), required=True),
        "validation": Reference(("examples",), required=True),
        "outliers": Reference(("examples",), many=True, default=[]),
    }
    return Section(("training",), settings, references | dict(more))


def sections() -> dict[str, Section]:
    """Return what every section of params.yaml may hold."""
    crossed = {
        name: Reference((name,), many=True, default=[])
        for name in ("examples", "attacks", "translators", "detectors", "margins")
    }
    models = ("classifiers", "defences")
    crossed["classifiers"] = Reference(models, many=True, default=[], everything=("classifiers",))
    return {
        "sources": Section(("sources",), {"sha256": Setting(Type("str", optional=True), required=True)}),
        "examples": Section(
            ("data",),
            {"seed": Setting(_seed, 0)},
            {"source": Reference(("sources",)), "of": Reference(("examples",))},
        ),
        "classifiers": replace(
            _trained(("calibration", Reference(("examples",))), ("source", Reference(("sources",)))),
            folders=("training", "pretrained"),
        ),
        "translators": _trained(("classifier", Reference(("classifiers",)))),
        "attacks": Section(("attacks", "adaptive")),
        "margins": Section(("margins",)),
        "detectors": Section(
            ("detectors",),
            references={
                "fit": Reference(("examples",)),
                "classifier": Reference(("classifiers",)),
                "anomalous": Reference(("examples", "attacks"), many=True, default=[]),
            },
        ),
        "defences": Section(
            (),
            {
                "false_positive_rate": Setting(Type("float", Bounds(above=0, high=1)), 0.05),
                "seeds": Setting(Type("list", item=_seed, optional=True), None),  # None: its classifier's
            },
            {
                "classifier": Reference(("classifiers",), required=True),
                "translator": Reference(("translators",), many=True, required=True, bare=True),
                "router": Reference(("detectors",)),
                "encoder": Reference(("classifiers",)),  # what the router reads, where it is not the classifier
            },
        ),
        "evaluations": Section(
            ("evaluations",),
            {
                "question": _text,
                "system": Setting(Type("word", words=SYSTEMS), "shared"),
                "seeds": Setting(Type("list", item=_seed, optional=True)),
            },
            crossed
            | {
                "attacked": Reference(("examples",), many=True, default=[]),
                "victims": Reference(models, many=True, default=[], everything=("classifiers",)),
                "fit": Reference(("examples",)),
            },
        ),
        "figures": Section(
            ("reporting",),
            {"caption": _text},
            {
                "evaluation": Reference(("evaluations",), required=True),
                "also": Reference(("evaluations",), many=True, default=[]),
            },
        ),
    }


STUDY_SETTINGS: dict[str, dict[str, Setting]] = {
    "study": {
        "title": _text,
        "device": Setting(Type("word", words=("cpu", "cuda")), "cpu"),
        "threads": Setting(_count, 1),
        "batch_size": Setting(_count, 256),
        "calibration": _text,
        "attacked_false_positive_rate": Setting(Type("float", Bounds(above=0, high=1)), 0.05),
        "false_positive_rates": Setting(Type("list", item=Type("float", Bounds(above=0, high=1))), [0.01, 0.05, 0.5]),
    },
}
CONFOUNDING_SETTINGS: dict[str, Setting] = {
    "variant": Setting(Type("word", words=("softmax", "sigmoid")), "softmax"),
    "ones": Setting(Type("int", Bounds(low=0), optional=True)),
    "draws": Setting(Type("int", Bounds(low=1), optional=True)),
}


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean X?" for the closest allowed word, or nothing."""
    close = difflib.get_close_matches(str(word), list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""


if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:  # libyaml's, which not every build of PyYAML has, reads ten times as fast: every job reads the settings
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _NoDuplicates(_Loader):
    """YAML where a key that stands twice is an error instead of a silent overwrite."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value} stands twice", key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file; ParamsError names file and line of what is wrong."""
    if not path.is_file():
        raise ParamsError(f"{path}: no such file here; run touchstone in the folder that holds the Snakefile")
    try:
        content = yaml.load(path.read_text(), _NoDuplicates)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ParamsError(f"{path}{line}: not readable as YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(content, dict):
        raise ParamsError(f"{path}: expected sections, found {type(content).__name__}")
    return content


@dataclass(frozen=True)
class Study:
    """One study's settings, whole: every default filled in, every `use` written folder/name."""

    name: str
    settings: dict[str, Any]

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]


def study_file(study: str, root: Path) -> Path | None:
    """Return the overlay of a study given by name or by path; None for the default study."""
    if study == DEFAULT_STUDY:
        return None
    folder = root / "workflow" / "studies"
    if study.endswith((".yaml", ".yml")):
        path = Path(study) if Path(study).is_absolute() else root / study
        if not path.is_file():
            raise ParamsError(f"no such study file: {study}")
        return path
    known = [DEFAULT_STUDY, *sorted(path.stem for path in folder.glob("*.yaml"))]
    if study not in known:
        raise ParamsError(f"no study called {study}; there are {', '.join(known)}.{nearest(study, known)}")
    return folder / f"{study}.yaml"


def load(study: str = DEFAULT_STUDY, root: Path = Path()) -> Study:
    """Return the resolved settings of a study. ParamsError lists everything that is wrong, before any job."""
    return _Reader(study, root).study()


class _Reader:
    """Merges, checks and resolves; collects every error so that all are told at once."""

    def __init__(self, study: str, root: Path) -> None:
        self.root, self.base_file = root, root / "params.yaml"
        self.overlay_file = study_file(study, root)
        self.name = study if self.overlay_file is None else self.overlay_file.stem
        if not NAME.fullmatch(self.name):
            raise ParamsError(f"{self.overlay_file}: a study is named [a-z][a-z0-9_]*, got {self.name!r}")
        self.errors: list[str] = []
        self.overlaid: set[tuple[str, ...]] = set()
        self.removed: set[tuple[str, str]] = set()
        self.sections = sections()
        self.raw: dict[str, Any] = {}

    def fail(self, path: tuple[str, ...], message: str) -> None:
        """Note an error at a key path, with the file that the key stands in."""
        inside = any(path[:length] in self.overlaid for length in range(1, len(path) + 1))
        file = self.overlay_file if inside else self.base_file
        self.errors.append(f"{file}: {'.'.join(path)}: {message}")

    def study(self) -> Study:
        self.raw = read_yaml(self.base_file)
        plugins = self.raw.pop("plugins", [])
        self._check_sections(self.raw, self.base_file)
        if self.overlay_file is not None:
            overlay = read_yaml(self.overlay_file)
            base = overlay.pop("base", BASES[0])
            self._start_from(base)
            plugins = overlay.pop("plugins", [] if base == "none" else plugins)
            self._check_sections(overlay, self.overlay_file)
            self._stop()
            self._overlay(overlay)
        self._plug_in(plugins)
        self._stop()
        resolved = {section: self._section(section) for section in self.sections}
        resolved["study"] = self._settings(("study",), self.raw.get("study") or {}, STUDY_SETTINGS["study"])
        resolved["confounding"] = {
            name: self._settings(("confounding", name), block or {}, CONFOUNDING_SETTINGS)
            for name, block in (self.raw.get("confounding") or {}).items()
        }
        self._stop()
        self._references(resolved)
        self._stop()
        self._victims_of_translators(resolved)
        self._defences(resolved)
        self._leaks(resolved)
        resolved["groups"] = self._groups(resolved)
        self._stop()
        self._used(resolved)
        resolved["claims"] = self._claims(resolved)
        self._stop()
        return Study(self.name, resolved)

    def _plug_in(self, folders: Any) -> None:
        """Look for components in the folders of `plugins:` too, which are given from the folder of the Snakefile."""
        if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
            self.errors.append(
                f"{self.overlay_file or self.base_file}: plugins: expected a list of folders, got {folders!r}"
            )
            return
        try:
            registry.use_plugins(self.root / folder for folder in folders)
        except (FileNotFoundError, ValueError) as error:
            self.errors.append(f"{self.overlay_file or self.base_file}: {error}")

    def _start_from(self, base: Any) -> None:
        """Forget params.yaml where the overlay says `base: none`: a whole study of its own."""
        if base not in BASES:
            self.errors.append(f"{self.overlay_file}: base: expected {' or '.join(BASES)}, got {_shown(base)}")
        elif base == "none" and self.overlay_file is not None:
            self.raw, self.base_file = {}, self.overlay_file

    def _stop(self) -> None:
        if self.errors:
            raise ParamsError("\n".join(self.errors))

    def _check_sections(self, content: dict[str, Any], file: Path) -> None:
        known = [*self.sections, *STUDY_SETTINGS, "confounding", "groups", "claims"]
        for name, block in content.items():
            if name not in known:
                self.errors.append(
                    f"{file}: {name}: no such section. Sections are {', '.join(known)}.{nearest(name, known)}"
                )
            elif not isinstance(block, dict):
                self.errors.append(f"{file}: {name}: expected entries, found {block!r}")

    def _overlay(self, overlay: dict[str, Any]) -> None:
        for section, block in overlay.items():
            base = self.raw.setdefault(section, {})
            for name, value in block.items():
                path = (section, str(name))
                self.overlaid.add(path)
                if value is None and name not in base:
                    self.fail(path, f"null removes an entry, but there is none.{nearest(name, base)}")
                elif value is None:
                    del base[name]
                    self.removed.add((section, str(name)))
                elif self._needs_use(section) and name not in base and not (isinstance(value, dict) and "use" in value):
                    self.fail(path, f"no such entry; a new one needs its own use:.{nearest(name, base)}")
                elif value == {}:
                    self.fail(path, "empty entry: it changes nothing; give settings, use:, or null to remove it")
                elif isinstance(value, dict) and isinstance(base.get(name), dict):
                    base[name] = self._merged(base[name], value)
                else:
                    base[name] = value
        self._gone()

    def _needs_use(self, section: str) -> bool:
        return section in self.sections and bool(self.sections[section].folders)

    def _gone(self) -> None:
        """Take out what is about removed entries alone: figures of a removed evaluation, removed members of groups.

        What the overlay itself says is left as it stands, and checked.
        """
        figures = self.raw.get("figures") or {}
        for name, block in list(figures.items()):
            shown = block.get("evaluation") if isinstance(block, dict) else None
            if ("evaluations", shown) in self.removed and ("figures", name) not in self.overlaid:
                del figures[name]
                self.removed.add(("figures", str(name)))
        gone = {name for section, name in self.removed if section in GROUPED}
        groups = self.raw.get("groups") or {}
        for name, members in list(groups.items()):
            if isinstance(members, list) and ("groups", name) not in self.overlaid and gone & set(map(str, members)):
                groups[name] = [member for member in members if member not in gone]
                if not groups[name]:
                    del groups[name]

    def _merged(self, base: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
        if "use" in change and change["use"] != base.get("use"):
            return change
        return base | {
            key: self._merged(base[key], value)
            if isinstance(value, dict) and isinstance(base.get(key), dict)
            else value
            for key, value in change.items()
        }

    def _section(self, section: str) -> dict[str, Any]:
        entries = {}
        for name, block in (self.raw.get(section) or {}).items():
            path = (section, str(name))
            if not isinstance(name, str) or not NAME.fullmatch(name):
                self.fail(path, "a name is made of a-z, 0-9 and _, a letter first")
            elif not isinstance(block, dict) or not block:
                needed = f"use: one of {', '.join(self._uses(section))}" if self._needs_use(section) else "settings"
                self.fail(path, f"empty entry; it needs {needed}")
            elif not self._needs_use(section):
                entries[name] = self._entry(path, section, block, None)
            elif (found := self._component(path, block, self.sections[section].folders)) is not None:
                entries[name] = self._entry(path, section, block, found)
        return entries

    def _uses(self, section: str) -> list[str]:
        return [name for folder in self.sections[section].folders for name in registry.names(folder)]

    def _component(
        self, path: tuple[str, ...], block: dict[str, Any], folders: tuple[str, ...]
    ) -> registry.Component | None:
        known = [name for folder in folders for name in registry.names(folder)]
        if "use" not in block:
            self.fail(path, f"needs use: one of {', '.join(known)}")
        elif block["use"] not in known:
            self.fail((*path, "use"), f"no {folders[0]}/{block['use']}.py. There are {', '.join(known)}."
                      + nearest(block["use"], known))  # fmt: skip
        else:
            folder = next(folder for folder in folders if block["use"] in registry.names(folder))
            return registry.component(folder, block["use"])
        return None

    def _entry(
        self, path: tuple[str, ...], section: str, block: dict[str, Any], found: registry.Component | None
    ) -> dict[str, Any]:
        own = self.sections[section]
        if found and found.folder == "pretrained":
            return self._file(path, block, found)
        if block.get("source") is not None and section == "classifiers":
            self.fail((*path, "source"), "a network that is trained here has none; a file needs a use: of pretrained/")
        settings = found.settings if found else {}
        clash = settings.keys() & (own.settings.keys() | own.references.keys())
        if found and clash:
            self.fail(
                path, f"{found.folder}/{found.name}.py has settings that every {section} entry has: {sorted(clash)}"
            )
        given = {key: value for key, value in block.items() if key not in own.references}
        resolved = self._settings(path, given, own.settings | settings, found)
        for key, reference in own.references.items():
            resolved[key] = self._reference_shape((*path, key), block, reference)
        return resolved

    def _file(self, path: tuple[str, ...], block: dict[str, Any], found: registry.Component) -> dict[str, Any]:
        """Return a classifier that is read from a file of a source: nothing trains it, so it has one seed and no sets."""
        given = {key: value for key, value in block.items() if key != "source"}
        resolved = self._settings(path, given, FILE_SETTINGS | found.settings, found)
        resolved["source"] = self._reference_shape((*path, "source"), block, Reference(("sources",), required=True))
        shape = resolved.get("input_shape") or []
        if len(shape) != 3:
            self.fail((*path, "input_shape"), f"expected channels, height, width, got {shape}")
        for name, default in (("mean", 0.0), ("std", 1.0)):
            resolved[name] = resolved.get(name) or [default] * shape[0] if shape else [default]
            if shape and len(resolved[name]) != shape[0]:
                self.fail((*path, name), f"expected one value for each of {shape[0]} channels, got {resolved[name]}")
        return resolved | {"seeds": [0], "train": None, "validation": None, "outliers": [], "calibration": None}

    def _reference_shape(self, path: tuple[str, ...], block: dict[str, Any], reference: Reference) -> Any:
        if path[-1] not in block:
            if reference.required:
                self.fail(path, f"must name an entry of {' or '.join(reference.sections)}")
            return reference.default
        value = block[path[-1]]
        if (reference.many and value == "all") or (value is None and not reference.required):
            return reference.default if value is None else value
        if reference.bare and isinstance(value, str):
            value = [value]
        expected = list if reference.many else str
        if not isinstance(value, expected) or (reference.many and not all(isinstance(item, str) for item in value)):
            self.fail(path, f"expected {'a list of entries (or all)' if reference.many else 'an entry'}, got {value!r}")
            return reference.default
        return value

    def _settings(
        self,
        path: tuple[str, ...],
        block: dict[str, Any],
        known: dict[str, Setting],
        found: registry.Component | None = None,
    ) -> dict[str, Any]:
        resolved: dict[str, Any] = {} if found is None else {"use": f"{found.folder}/{found.name}"}
        if not isinstance(block, dict):
            self.fail(path, f"expected settings, got {block!r}")
            return resolved
        if found is not None:
            block = {key: value for key, value in block.items() if key != "use"}
        for key in block:
            if key not in known:
                where = f" of {found.folder}/{found.name}.py" if found else ""
                section = self.sections.get(path[0])
                allowed = sorted({*known, *(section.references if section and len(path) == 2 else ())})
                listed = f"Settings are {', '.join(allowed)}." if allowed else "It has no settings."
                self.fail((*path, str(key)), f"not a setting{where}. {listed}{nearest(str(key), allowed)}")
        for key, setting in known.items():
            if key in block:
                resolved[key] = self._value((*path, key), block[key], setting.type)
            elif setting.required:
                self.fail((*path, key), f"must be given: {setting.type}")
            elif setting.type.base == "nested" and setting.default is not None:
                resolved[key] = self._value((*path, key), setting.default, setting.type)
            else:
                resolved[key] = setting.default
        return resolved

    def _value(self, path: tuple[str, ...], value: Any, kind: Type) -> Any:
        if value is None and kind.optional:
            return None
        match kind.base:
            case "nested":
                if not isinstance(value, dict):
                    self.fail(path, f"expected {kind}, got {value!r}")
                    return None
                found = self._component(path, value, (kind.folder,))
                return None if found is None else self._settings(path, value, found.settings, found)
            case "list":
                assert kind.item is not None
                if not isinstance(value, list) or not value:
                    self.fail(path, f"expected {kind}, got {value!r}")
                    return None
                if path[-1] == "seeds" and len(set(map(str, value))) < len(value):
                    self.fail(path, f"names a seed twice: {value}")
                return [self._value((*path, str(place)), item, kind.item) for place, item in enumerate(value)]
            case "word":
                if value not in kind.words:
                    self.fail(path, f"expected {kind}, got {value!r}.{nearest(value, kind.words)}")
                return value
            case "float":
                value = self._number(value)
        expected: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
        right = isinstance(value, expected[kind.base]) and (kind.base == "bool" or not isinstance(value, bool))
        if not right or (kind.bounds is not None and not kind.bounds.hold(value)):
            self.fail(path, f"expected {kind}, got {_shown(value)}")
        return value

    @staticmethod
    def _number(value: Any) -> Any:
        """Return a float for a number or for arithmetic over literals ("8/255", "1e-3"), else the value as it is."""
        if isinstance(value, str):
            try:
                value = registry.fold(value)
            except ValueError:
                return value
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        return str(value) if isinstance(value, float) else value

    def _references(self, resolved: dict[str, Any]) -> None:
        """Expand `all`, and check that every named entry exists and that no name stands in two sections."""
        owner: dict[str, str] = {}
        for section in self.sections:
            for name in resolved[section]:
                if name in owner:
                    self.fail(
                        (section, name), f"the name is taken by {owner[name]}.{name}; names are unique in a study"
                    )
                owner[name] = section
        for section, kind in self.sections.items():
            for name, entry in resolved[section].items():
                for key, reference in kind.references.items():
                    known = [entry_name for target in reference.sections for entry_name in resolved[target]]
                    if entry[key] == "all":
                        meant = reference.everything or reference.sections
                        entry[key] = [entry_name for target in meant for entry_name in resolved[target]]
                    for item in entry[key] if reference.many else [entry[key]] if entry[key] else []:
                        if item not in known:
                            self.fail(
                                (section, name, key),
                                f"no entry called {item} in {' or '.join(reference.sections)}.{nearest(item, known)}",
                            )
        for name, detector in resolved["detectors"].items():
            label, known = detector.get("label"), resolved["confounding"]
            if label is not None and label not in known:
                self.fail(
                    ("detectors", name, "label"), f"no label called {label} in confounding.{nearest(label, known)}"
                )
        rates, attacked = (
            resolved["study"][f"{name}false_positive_rate{s}"] for name, s in (("", "s"), ("attacked_", ""))
        )
        if attacked not in rates:
            self.fail(
                ("study", "attacked_false_positive_rate"), f"{attacked:g} is not among false_positive_rates {rates}"
            )
        calibration = resolved["study"].get("calibration")
        if calibration not in resolved["examples"]:
            self.fail(
                ("study", "calibration"),
                f"no example set called {calibration}.{nearest(calibration, resolved['examples'])}",
            )

    def _victims_of_translators(self, resolved: dict[str, Any]) -> None:
        """Refuse a translator without the network whose attacked images it learns from, and one that needs none."""
        for name, entry in resolved["translators"].items():
            folder, use = entry["use"].split("/")
            asked = "classifier" in registry.component(folder, use).data
            if asked and entry["classifier"] is None:
                self.fail(("translators", name, "classifier"), "must name an entry of classifiers")
            elif entry["classifier"] is not None and not asked:
                self.fail(("translators", name, "classifier"), f"{folder}/{use}.py attacks no network; leave it out")

    def _defences(self, resolved: dict[str, Any]) -> None:
        """Give every defence its classifier's seeds, or those of them that it names; refuse what it cannot be asked."""
        defences, rates = resolved["defences"], resolved["study"]["false_positive_rates"]
        for name, entry in defences.items():
            known = resolved["classifiers"][entry["classifier"]]["seeds"]
            entry["seeds"] = entry["seeds"] or known
            if not set(entry["seeds"]) <= set(known):
                self.fail(("defences", name, "seeds"), f"{entry['classifier']} has the seeds {known} alone")
            rate = entry["false_positive_rate"]
            if rate not in rates:
                close = min(rates, key=lambda known: abs(known - rate))
                self.fail(
                    ("defences", name, "false_positive_rate"),
                    f"{rate:g} is not among study.false_positive_rates {rates}. Did you mean {close:g}?",
                )
            if not entry["translator"]:
                self.fail(("defences", name, "translator"), "must name an entry of translators")
            if entry["encoder"] and not entry["router"]:
                self.fail(("defences", name, "encoder"), "is what a router reads, and there is none")
        for name, question in resolved["evaluations"].items():
            asked = [entry for entry in question["classifiers"] if entry in defences]
            for key in ("detectors", "margins") if asked else ():
                if question[key]:
                    self.fail(
                        ("evaluations", name, key),
                        f"{asked[0]} is a defence, and {key} are made for networks alone; ask about them in an evaluation"
                        " of its own, of classifiers",
                    )
            whole = [attack for attack in question["attacks"] if on_pipelines(resolved["attacks"][attack])]
            if whole and not asked:
                self.fail(
                    ("evaluations", name, "attacks"),
                    f"{whole[0]} attacks defences, and none is among the classifiers;"
                    f" defences are {', '.join(defences) or 'none here'}",
                )

    def _leaks(self, resolved: dict[str, Any]) -> None:
        """Refuse what would make a figure flatter itself: test data that is trained on, fitted on or gives thresholds."""
        tested = {
            name: question
            for question, entry in resolved["evaluations"].items()
            if entry["classifiers"]
            for name in [*entry["examples"], *entry["attacked"]]
        }
        used = [
            ((section, name, key), example)
            for section, keys in (
                ("classifiers", ("train", "validation", "outliers")),
                ("translators", ("train", "validation", "outliers")),
                ("detectors", ("fit", "anomalous")),
                ("evaluations", ("fit",)),
            )
            for name, entry in resolved[section].items()
            for key in keys
            for example in (entry[key] if isinstance(entry[key], list) else [entry[key]])
        ]
        calibrations = {
            resolved["study"]["calibration"]: ("study", "calibration"),
            **{
                entry["calibration"]: ("classifiers", name, "calibration")
                for name, entry in resolved["classifiers"].items()
                if entry["calibration"]
            },
        }
        for path, example in [*used, *((path, example) for example, path in calibrations.items())]:
            if example in tested:
                self.fail(path, f"{example} is tested on by evaluations.{tested[example]}; use another set")
            elif example in calibrations and path[-1] != "calibration":
                giver = ".".join(calibrations[example])
                self.fail(path, f"{example} gives the thresholds ({giver}); use another set")
        self._families(resolved, tested)

    def _families(self, resolved: dict[str, Any], tested: dict[str, str]) -> None:
        """Refuse outliers of a kind that is tested on: what a network has seen the like of is no unknown."""
        examples = resolved["examples"]
        known = families.sources_of(
            {entry["train"] for entry in resolved["classifiers"].values() if entry["train"]}, examples
        )
        kinds = {name: families.family(name, examples, known) for name in tested}
        places = [(section, name) for section in ("classifiers", "translators") for name in resolved[section]]
        for section, name in places:
            for outliers in resolved[section][name]["outliers"]:
                own = families.family(outliers, examples, known)
                for test, kind in kinds.items():
                    if outliers != test and (shared := [own[mark] for mark in own if mark in kind]):
                        self.fail(
                            (section, name, "outliers"),
                            f"{outliers} is of the family of {test}, which evaluations.{tested[test]} tests on: both are"
                            f" {shared[0]}; use outliers of another family",
                        )
                        break

    def _groups(self, resolved: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
        """Return, for what is grouped, the named groups; an entry in none is a group of its own."""
        groups: dict[str, dict[str, list[str]]] = {section: {} for section in GROUPED}
        placed: dict[str, str] = {}
        raw = self.raw.get("groups") or {}
        for name, members in raw.items():
            path = ("groups", str(name))
            if not NAME.fullmatch(str(name)):
                self.fail(path, "a name is made of a-z, 0-9 and _, a letter first")
            elif not isinstance(members, list) or not members:
                self.fail(path, f"expected a list of entries, got {members!r}")
            else:
                self._group(path, members, resolved, groups, placed)
        for section, grouped in groups.items():
            for entry in resolved[section]:
                if entry in raw and placed.get(entry) != entry:
                    self.fail(("groups", entry), f"the name is taken by {section}.{entry}")
                if entry not in placed:
                    grouped[entry] = [entry]
        return groups

    def _group(
        self,
        path: tuple[str, ...],
        members: list[str],
        resolved: dict[str, Any],
        groups: dict[str, dict[str, list[str]]],
        placed: dict[str, str],
    ) -> None:
        sections = {section for section in groups for entry in members if entry in resolved[section]}
        known = [entry for section in groups for entry in resolved[section]]
        for entry in members:
            if entry not in known:
                self.fail(
                    path, f"no example set, attack, detector or translator called {entry}.{nearest(entry, known)}"
                )
            elif entry in placed:
                self.fail(path, f"{entry} is already in the group {placed[entry]}")
            placed[str(entry)] = path[1]
        attacks = [resolved["attacks"][entry] for entry in members if entry in resolved["attacks"]]
        if len({(attack["use"].split("/")[0], on_pipelines(attack)) for attack in attacks}) > 1:
            self.fail(path, "mixes attacks with adaptive ones, which are made on other victims")
        if len(sections) > 1:
            self.fail(path, f"mixes {' and '.join(sorted(sections))}; a group holds one kind")
        seeds = {str(resolved["translators"][entry]["seeds"]) for entry in members if entry in resolved["translators"]}
        if len(seeds) > 1:
            self.fail(path, f"mixes translators with the seeds {' and '.join(sorted(seeds))}")
        calibration = resolved["study"]["calibration"]
        tested = {
            name
            for question in resolved["evaluations"].values()
            if question["detectors"] or question["attacks"]
            for name in [*question["examples"], *question["attacked"]]
        }
        if calibration in members and tested & set(members):
            self.fail(path, f"groups {calibration}, which gives the thresholds, with {sorted(tested & set(members))[0]},"
                            " which is tested on")  # fmt: skip
        if len(sections) == 1:
            groups[sections.pop()][path[1]] = members

    def _claims(self, resolved: dict[str, Any]) -> dict[str, Any]:
        """Return, for each claim that the study speaks of, the entries that play its roles, or why it is not run."""
        book = criteria.load()
        roles = {name for criterion in book.criteria.values() for name in criterion.roles}
        raw = dict(self.raw.get("claims") or {})
        shared = raw.pop("shared", None) or {}
        for role in shared:
            if role not in roles:
                self.fail(("claims", "shared", str(role)), f"no claim has such a role.{nearest(role, roles)}")
        found = {}
        for name, block in raw.items():
            path = ("claims", str(name))
            if name in book.published:
                scaled = [key for key, criterion in book.criteria.items() if name in criterion.scales]
                self.fail(
                    path, f"a published figure; a study asks what scales it down: {', '.join(scaled) or 'nothing'}"
                )
            elif name not in book.criteria:
                self.fail(path, f"no such claim.{nearest(str(name), book.criteria)}")
            elif isinstance(block, str) or not isinstance(block, dict):
                found[name] = block
                if not isinstance(block, str) or not block:
                    self.fail(path, f"expected its roles, or in words why it is not run, got {block!r}")
            else:
                found[name] = self._cast(path, book.criteria[name], block, shared, resolved)
        if "claims" in resolved["evaluations"]:
            self.fail(("evaluations", "claims"), "the name is taken by the section claims")
        return found

    def _cast(
        self,
        path: tuple[str, ...],
        criterion: criteria.Criterion,
        block: dict[str, Any],
        shared: dict[str, Any],
        resolved: dict[str, Any],
    ) -> str | dict[str, str | list[str]]:
        """Return who plays the roles of a claim. One that the overlay removed plays none, so the claim is not run."""
        for role in block:
            if role not in criterion.roles:
                listed = f"Its roles are {', '.join(criterion.roles)}." if criterion.roles else "It has none."
                self.fail((*path, str(role)), f"not a role. {listed}{nearest(str(role), criterion.roles)}")
        cast: dict[str, str | list[str]] = {}
        for role, (section, many) in criterion.roles.items():
            if role not in block and role not in shared:
                continue
            where = (*path, role) if role in block else ("claims", "shared", role)
            given: Any = block.get(role, shared.get(role))
            entries: list[Any] = given if isinstance(given, list) and many else [given]
            for entry in entries:
                if not isinstance(entry, str):
                    self.fail(
                        where, f"expected an entry of {section}{' or a list of them' if many else ''}, got {entry!r}"
                    )
                elif entry not in resolved[section]:
                    if (section, entry) in self.removed:
                        return f"{entry} ({section}) is not in this study"
                    self.fail(where, f"no entry called {entry} in {section}.{nearest(entry, resolved[section])}")
            cast[role] = entries if many else given
        for role in criterion.together:
            if len(cast.get(role, [])) != len(cast.get(criterion.together[0], [])):
                self.fail(
                    (*path, role), f"goes side by side with {criterion.together[0]}: as many entries, in that order"
                )
        return cast

    def _used(self, resolved: dict[str, Any]) -> None:
        """Refuse entries that no evaluation reaches: they would look measured and are not."""
        reached = {("evaluations", name) for name in resolved["evaluations"]}
        reached |= {("figures", name) for name in resolved["figures"]}
        reached.add(("examples", resolved["study"]["calibration"]))
        waiting = list(reached)
        while waiting:
            section, name = waiting.pop()
            for target in _named(self.sections[section], resolved[section][name], resolved):
                if target not in reached:
                    reached.add(target)
                    waiting.append(target)
        for section in self.sections:
            for name in resolved[section]:
                if (section, name) not in reached:
                    self.fail(
                        (section, name), "no evaluation names it; name it in one, or remove it (null in an overlay)"
                    )


def on_pipelines(attack: dict[str, Any]) -> bool:
    """Return whether an entry of attacks is made on whole defences, and on nothing else."""
    return "pipeline" in registry.used(attack["use"]).data


def _named(kind: Section, entry: dict[str, Any], resolved: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, reference in kind.references.items():
        for name in entry[key] if reference.many else [entry[key]] if entry[key] else []:
            yield next(section for section in reference.sections if name in resolved[section]), name


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else f'"{value}"' if isinstance(value, str) else repr(value)
