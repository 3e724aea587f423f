"""Merges params.yaml with a study's overlay, checks every value against the signatures, and fills in the defaults."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from touchstone import plugins, registry
from touchstone.messages import nearest
from touchstone.numerics import devices, precision
from touchstone.pipeline.settings.absent import leave_out
from touchstone.pipeline.settings.files import NAME, ParamsError, Place, lines_of, printable, study_file
from touchstone.pipeline.settings.limits import ENTRIES, LETTERS, most
from touchstone.pipeline.settings.sections import FILE_SETTINGS, GROUPED, STUDY_SETTINGS, Reference, sections
from touchstone.pipeline.settings.values import read, shown
from touchstone.registry import Setting, Type

BASES = ("params", "none")  # what an overlay changes: params.yaml, or nothing, so that it is a study of its own
MOST_ERRORS, MOST_LETTERS = 50, 3_000  # errors in one message, letters in one error


class Reader:
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
        self._lines: dict[Path, dict[Place, int]] = {}

    def fail(self, path: tuple[str, ...], message: str, file: Path | None = None) -> None:
        """Note an error at a key path, with the file that holds the key and its line."""
        if file is None:
            inside = any(path[:length] in self.overlaid for length in range(1, len(path) + 1))
            file = self.overlay_file if inside and self.overlay_file else self.base_file
        if len(self.errors) == MOST_ERRORS:
            self.errors.append(f"and more: these are the first {MOST_ERRORS}")
            self._stop()
        words = printable(f"{'.'.join(path)}: {message}"[:MOST_LETTERS])
        self.errors.append(f"{file}{self._line(file, path)}: {words}")

    def _line(self, file: Path, path: tuple[str, ...]) -> str:
        """Return ":LINE" of a key, or of the nearest key above it in the file."""
        if file not in self._lines:
            self._lines[file] = lines_of(file)
        lines = self._lines[file]
        known = (path[:length] for length in range(len(path), 0, -1) if path[:length] in lines)
        nearest_key = next(known, None)
        return f":{lines[nearest_key]}" if nearest_key else ""

    def _plug_in(self, folders: Any) -> None:
        """Look for components in the folders of `plugins:` too, which are given from the folder of the Snakefile."""
        file = self.overlay_file or self.base_file
        if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
            self.fail(("plugins",), f"expected a list of folders, got {shown(folders)}", file)
            return
        try:
            plugins.use(self.root / folder for folder in folders)
        except (OSError, ValueError) as error:
            self.fail(("plugins",), str(error).removeprefix("plugins: "), file)

    def _start_from(self, base: Any) -> None:
        """Forget params.yaml where the overlay says `base: none`: a whole study of its own."""
        if base not in BASES:
            told = f"expected {' or '.join(BASES)}, got {shown(base)}; to start from another study, copy it"
            self.fail(("base",), told, self.overlay_file)
        elif base == "none" and self.overlay_file is not None:
            self.raw, self.base_file = {}, self.overlay_file

    def _stop(self) -> None:
        if self.errors:
            raise ParamsError("\n".join(self.errors))

    def _check_sections(self, content: dict[str, Any], file: Path) -> None:
        known = [*self.sections, *STUDY_SETTINGS, "confounding", "groups", "claims"]
        for name, block in content.items():
            if name not in known:
                self.fail((name,), f"no such section. Sections are {', '.join(known)}.{nearest(name, known)}", file)
            elif not isinstance(block, dict):
                self.fail((name,), f"expected entries, found {shown(block)}", file)
            elif len(block) > ENTRIES:
                self.fail((name,), f"holds {len(block):,} entries; a section has at most {ENTRIES} entries", file)

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
            evaluation = block.get("evaluation") if isinstance(block, dict) else None
            if ("evaluations", str(evaluation)) in self.removed and ("figures", name) not in self.overlaid:
                del figures[name]
                self.removed.add(("figures", str(name)))
        gone = {name for section, name in self.removed if section in GROUPED}
        groups = self.raw.get("groups") or {}
        for name, members in list(groups.items()):
            if isinstance(members, list) and ("groups", name) not in self.overlaid and gone & set(map(str, members)):
                groups[name] = [member for member in members if member not in gone]
                if not groups[name]:
                    del groups[name]

    def _leave_out(self) -> None:
        """Take out the sources that the study says are absent, and what leans on them."""
        block = self.raw.get("study")
        absent = block.get("absent", []) if isinstance(block, dict) else []
        if not isinstance(absent, list) or not all(isinstance(name, str) for name in absent):
            return  # the check of the setting says so
        known = self.raw.get("sources") or {}
        for name in absent:
            if name not in known:
                self.fail(("study", "absent"), f"no source called {name}.{nearest(name, known)}")
        if not self.errors:
            self.removed |= leave_out(self.raw, self.sections, absent)

    def _device(self, study: dict[str, Any]) -> None:
        """Put in the place of `auto` what this machine has."""
        try:
            study["device"] = devices.chosen(study["device"])
        except ValueError as error:
            self.fail(("study", "device"), f"auto: {error}")
        if study["precision"] == precision.TF32 and study["device"] == "cpu":
            self.fail(("study", "precision"), "tf32 is a number format of GPUs, and study.device is cpu")

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
            if not self._is_name(path):
                continue
            if not isinstance(block, dict) or not block:
                needed = f"use: one of {', '.join(self._uses(section))}" if self._needs_use(section) else "settings"
                self.fail(path, f"empty entry; it needs {needed}")
            elif not self._needs_use(section):
                entries[name] = self._entry(path, section, block, None)
            elif (found := self._component(path, block, self.sections[section].folders)) is not None:
                entries[name] = self._entry(path, section, block, found)
        return entries

    def _is_name(self, path: tuple[str, ...]) -> bool:
        """Return whether the last key may be the name of an entry; note where it may not."""
        right = NAME.fullmatch(path[-1]) is not None and len(path[-1]) <= LETTERS
        if not right:
            self.fail(path, f"a name is made of a-z, 0-9 and _, a letter first, at most {LETTERS}")
        return right

    def _uses(self, section: str) -> list[str]:
        return [name for folder in self.sections[section].folders for name in registry.names(folder)]

    def _component(
        self, path: tuple[str, ...], block: dict[str, Any], folders: tuple[str, ...]
    ) -> registry.Component | None:
        known = [name for folder in folders for name in registry.names(folder)]
        if "use" not in block:
            self.fail(path, f"needs use: one of {', '.join(known)}")
        elif block["use"] not in known:
            use = shown(block["use"]).strip('"')
            told = f"no {folders[0]}/{use}.py. There are {', '.join(known)}.{nearest(use, known)}"
            self.fail((*path, "use"), told + self._not_plugged_in(folders, use))
        else:
            folder = next(folder for folder in folders if block["use"] in registry.names(folder))
            return registry.component(folder, block["use"])
        return None

    def _not_plugged_in(self, folders: tuple[str, ...], use: str) -> str:
        """Return what to add where a folder beside the Snakefile holds such a component and is no plugin folder yet."""
        for beside, folder in product(sorted(self.root.iterdir()), folders):
            if NAME.fullmatch(use) and (beside / folder / f"{use}.py").is_file():
                return f" {beside.name}/{folder}/{use}.py is here: add plugins: [{beside.name}/]"
        return ""

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
        if len(shape) != 3 or not all(isinstance(length, int) for length in shape):
            self.fail((*path, "input_shape"), f"expected channels, height, width, got {shown(shape)}")
            shape = []
        for name, default in (("mean", 0.0), ("std", 1.0)):
            resolved[name] = resolved.get(name) or [default] * shape[0] if shape else [default]
            if shape and len(resolved[name]) != shape[0]:
                self.fail(
                    (*path, name), f"expected one value for each of {shape[0]} channels, got {shown(resolved[name])}"
                )
        nothing: dict[str, Any] = {
            "train": None,
            "validation": None,
            "outliers": [],
            "calibration": None,
            "static_networks": [],
        }
        return resolved | {"seeds": [0]} | nothing

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
        names = value if reference.many and isinstance(value, list) else [value]
        if isinstance(value, list) != reference.many or not all(isinstance(name, str) and name for name in names):
            wanted = "a list of entries (or all)" if reference.many else "an entry"
            self.fail(path, f"expected {wanted}, got {shown(value)}")
            return reference.default
        if reference.many and len(value) > most(path[-1]):
            self.fail(path, f"expected at most {most(path[-1]):,} items, got {len(value):,}")
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
            self.fail(path, f"expected settings, got {shown(block)}")
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
                    self.fail(path, f"expected {kind}, got {shown(value)}")
                    return None
                found = self._component(path, value, (kind.folder,))
                return None if found is None else self._settings(path, value, found.settings, found)
            case "list":
                assert kind.item is not None
                if not isinstance(value, list) or not value:
                    self.fail(path, f"expected {kind}, got {shown(value)}")
                    return None
                if len(value) > most(path[-1]):
                    self.fail(path, f"expected {kind}, at most {most(path[-1]):,} items, got {len(value):,}")
                    return None
                if path[-1] == "seeds" and len(set(map(str, value))) < len(value):
                    self.fail(path, f"names a seed twice: {shown(value)}")
                return [self._value((*path, str(place)), item, kind.item) for place, item in enumerate(value)]
            case _:
                value, problem = read(path, value, kind)
                if problem:
                    self.fail(path, problem)
                return value
