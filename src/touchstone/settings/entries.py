"""Entries of a study as they are written -> resolved settings: checked against signatures, defaults filled in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from touchstone import registry, wrapped_classes
from touchstone.messages import nearest
from touchstone.registry import Component
from touchstone.settings.files import NAME, Place
from touchstone.settings.limits import most, wrong_name
from touchstone.settings.passed_data import not_passed
from touchstone.settings.problems import Problems
from touchstone.settings.references import read_reference
from touchstone.settings.sections import FILE_REFERENCES, FILE_SETTINGS, Section
from touchstone.settings.values import read, shown
from touchstone.signatures import Setting, Type

OWN_DIGEST = {"sha256"}  # a source with this setting checks its own file; of others, `fetch` checks the folder
ONCE = {"seeds": "seed", "false_positive_rates": "rate"}  # lists that may not name the same number twice


@dataclass(frozen=True)
class EntryReader:
    """Resolves the entries of a study one by one; what spans several entries is checked afterwards.

    Args:
        kinds: the sections of entries, by name.
        root: the folder of the Snakefile.
        problems: receives every mistake.
    """

    kinds: dict[str, Section]
    root: Path
    problems: Problems

    def section(self, section: str, blocks: dict[str, Any]) -> dict[str, Any]:
        """Return the resolved entries of a section; those without a usable component are left out."""
        kind, entries = self.kinds[section], {}
        for name, block in blocks.items():
            place = (section, name)
            if not self.is_name(place):
                continue
            if block and not isinstance(block, dict):
                self.problems.add(place, f"expected settings, got {shown(block)}")
            elif not block:
                uses = [use for folder in kind.folders for use in registry.names(folder)]
                needed = f"use: one of {', '.join(uses)}" if kind.needs_use else "settings"
                self.problems.add(place, f"empty entry; it needs {needed}")
            elif not kind.needs_use:
                entries[name] = self._entry(place, kind, block, None)
            elif (component := self._component(place, block, kind.folders)) is not None:
                read_entry = self._file_entry if component.folder == "pretrained" else self._entry
                entries[name] = read_entry(place, kind, block, component)
        return entries

    def is_name(self, place: Place) -> bool:
        """Return whether the last key may be the name of an entry; record it if not."""
        if reason := wrong_name(place[-1]):
            self.problems.add(place, reason)
        return not reason

    def settings(
        self, place: Place, block: Any, allowed: dict[str, Setting], component: Component | None = None
    ) -> dict[str, Any]:
        """Return the settings of a block, the `use` of its component first, with every default filled in."""
        resolved: dict[str, Any] = {} if component is None else {"use": f"{component.folder}/{component.name}"}
        if not isinstance(block, dict):
            self.problems.add(place, f"expected settings, got {shown(block)}")
            return resolved
        values = {key: value for key, value in block.items() if component is None or key != "use"}
        for key in values:
            if key not in allowed:
                self._unknown_setting((*place, key), allowed, component)
        for key, setting in allowed.items():
            if key in values and values[key] == [] == setting.default:
                resolved[key] = []  # a study takes back what a paper writes
            elif key in values:
                resolved[key] = self._value((*place, key), values[key], setting.type)
            elif setting.required:
                self.problems.add((*place, key), f"must be given: {setting.type}")
            elif setting.type.base == "nested" and setting.default is not None:
                resolved[key] = self._value((*place, key), setting.default, setting.type)
            else:
                resolved[key] = setting.default
        for keys, reason in wrapped_classes.problems(resolved.get("use", ""), resolved):
            self.problems.add((*place, *keys), reason)
        return resolved

    def _unknown_setting(self, place: Place, allowed: dict[str, Setting], component: Component | None) -> None:
        *above, key = place
        kind = self.kinds.get(place[0])
        names = sorted({*allowed, *(kind.references if kind and len(above) == 2 else ())})
        owner = f" of {component.folder}/{component.name}.py" if component else ""
        listed = f"Settings are {', '.join(names)}." if names else "It has no settings."
        self.problems.add(place, f"not a setting{owner}. {listed}{nearest(key, names)}")

    def _entry(self, place: Place, kind: Section, block: dict[str, Any], component: Component | None) -> dict[str, Any]:
        section = place[0]
        if section == "classifiers" and block.get("source") is not None:
            reason = (
                "a network that is trained here has no source; to read one from a file, use a component of pretrained/"
            )
            self.problems.add((*place, "source"), reason)
        settings = component.settings if component else {}
        clash = settings.keys() & (kind.settings.keys() | kind.references.keys()) - OWN_DIGEST
        if component and clash:
            reason = (
                f"{component.folder}/{component.name}.py has settings that every {section} entry has: {sorted(clash)}"
            )
            self.problems.add(place, reason)
        if component and "use" in settings:
            reason = (
                f"{component.folder}/{component.name}.py has a setting called use, which names the component itself"
            )
            self.problems.add(place, f"{reason}; rename it")
        values = {key: value for key, value in block.items() if key not in kind.references}
        resolved = self.settings(place, values, kind.settings | settings, component)
        for key, reference in kind.references.items():
            resolved[key] = read_reference((*place, key), block, reference, self.problems)
        return resolved

    def _file_entry(self, place: Place, _: Section, block: dict[str, Any], component: Component) -> dict[str, Any]:
        """Return a classifier that is read from a file of a source: nothing trains it, so it has one seed and no sets."""
        values = {key: value for key, value in block.items() if key not in FILE_REFERENCES}
        resolved = self.settings(place, values, FILE_SETTINGS | component.settings, component)
        for key, reference in FILE_REFERENCES.items():
            resolved[key] = read_reference((*place, key), block, reference, self.problems)
        shape = resolved.get("input_shape") or []
        if len(shape) != 3 or not all(isinstance(length, int) for length in shape):
            self.problems.add((*place, "input_shape"), f"expected channels, height, width, got {shown(shape)}")
            shape = []
        for name, default in (("mean", 0.0), ("std", 1.0)):
            resolved[name] = resolved.get(name) or [default] * shape[0] if shape else [default]
            if shape and len(resolved[name]) != shape[0]:
                reason = f"expected one value for each of {shape[0]} channels, got {shown(resolved[name])}"
                self.problems.add((*place, name), reason)
        nothing: dict[str, Any] = {"train": None, "validation": None, "outliers": [], "calibration": None}
        return resolved | {"seeds": [0]} | nothing | {"static_networks": []}

    def _component(self, place: Place, block: dict[str, Any], folders: tuple[str, ...]) -> Component | None:
        """Return the component that a block uses, None if there is no such component."""
        names = [name for folder in folders for name in registry.names(folder)]
        if "use" not in block:
            self.problems.add(place, f"needs use: one of {', '.join(names)}")
            return None
        for folder in folders:
            if block["use"] in registry.names(folder):
                component = registry.component(folder, block["use"])
                if reason := not_passed(component):
                    self.problems.add((*place, "use"), reason)
                return component
        use = shown(block["use"]).strip('"')
        elsewhere = [folder for folder in registry.FOLDERS if use in registry.names(folder)]
        other = f" {use} is one of {elsewhere[0]}/." if elsewhere else ""
        reason = f"no {folders[0]}/{use}.py.{other} There are {', '.join(names)}.{nearest(use, names)}"
        self.problems.add((*place, "use"), reason + self._plugin_hint(folders, use))
        return None

    def _plugin_hint(self, folders: tuple[str, ...], use: str) -> str:
        """Return how to plug in a folder beside the Snakefile that has such a component, "" if there is none."""
        for beside, folder in product(sorted(self.root.iterdir()), folders):
            if NAME.fullmatch(use) and (beside / folder / f"{use}.py").is_file():
                return f" {beside.name}/{folder}/{use}.py is here: add plugins: [{beside.name}/]"
        return ""

    def _value(self, place: Place, value: Any, kind: Type) -> Any:
        """Return one value as its type requires; None if it is no block or no list where one is needed."""
        if value is None and kind.optional:
            return None
        match kind.base:
            case "nested":
                return self._nested(place, value, kind)
            case "list":
                return self._list(place, value, kind)
        value, reason = read(place, value, kind)
        if reason:
            self.problems.add(place, reason)
        return value

    def _nested(self, place: Place, value: Any, kind: Type) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self.problems.add(place, f"expected {kind}, got {shown(value)}")
            return None
        component = self._component(place, value, (kind.folder,))
        return None if component is None else self.settings(place, value, component.settings, component)

    def _list(self, place: Place, value: Any, kind: Type) -> list[Any] | None:
        assert kind.item is not None
        name = place[-1]
        if not isinstance(value, list) or not value:
            self.problems.add(place, f"expected {kind}, got {shown(value)}")
            return None
        if len(value) > most(name):
            self.problems.add(place, f"expected {kind}, at most {most(name):,} items, got {len(value):,}")
            return None
        values = [self._value((*place, str(index)), item, kind.item) for index, item in enumerate(value)]
        if name in ONCE and len(set(map(str, values))) < len(values):
            self.problems.add(place, f"names a {ONCE[name]} twice: {shown(value)}")
        return values
