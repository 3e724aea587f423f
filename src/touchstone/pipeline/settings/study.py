"""A study's settings, whole: params.yaml and an overlay, read, checked and resolved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.pipeline.settings.checks import Checks
from touchstone.pipeline.settings.files import DEFAULT_STUDY, read_yaml
from touchstone.pipeline.settings.reading import BASES
from touchstone.pipeline.settings.sections import CONFOUNDING_SETTINGS, STUDY_SETTINGS


@dataclass(frozen=True)
class Study:
    """One study's settings, whole: every default filled in, every `use` written folder/name."""

    name: str
    settings: dict[str, Any]

    def __getitem__(self, section: str) -> Any:
        return self.settings[section]


def load(study: str = DEFAULT_STUDY, root: Path = Path()) -> Study:
    """Return the resolved settings of a study. ParamsError lists everything that is wrong, before any job."""
    return _Settings(study, root).study()


class _Settings(Checks):
    """Does it all in order, and stops after each part that found errors, so that one mistake is not told twice."""

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
        self._leave_out()
        self._stop()
        resolved = {section: self._section(section) for section in self.sections}
        resolved["study"] = self._settings(("study",), self.raw.get("study") or {}, STUDY_SETTINGS["study"])
        self._device(resolved["study"])
        resolved["confounding"] = {
            name: self._settings(("confounding", name), block or {}, CONFOUNDING_SETTINGS)
            for name, block in (self.raw.get("confounding") or {}).items()
            if self._is_name(("confounding", name))
        }
        self._stop()
        self._references(resolved)
        self._stop()
        self._limits(resolved)
        self._stop()
        self._victims_of_translators(resolved)
        self._static_networks(resolved)
        self._fitted(resolved)
        self._defences(resolved)
        self._sizes(resolved)
        self._leaks(resolved)
        resolved["groups"] = self._groups(resolved)
        self._stop()
        self._used(resolved)
        resolved["claims"] = self._claims(resolved)
        self._stop()
        return Study(self.name, resolved)
