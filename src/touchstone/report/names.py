"""Who is who in a report: every name that a study gave, with what it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

SECTIONS = {
    "examples": "Data sets",
    "classifiers": "Networks",
    "translators": "Translators",
    "defences": "Defences: a network behind translators, perhaps with a router",
    "attacks": "Attacks",
    "margins": "Searches for the nearest decision boundary",
    "detectors": "Detectors",
}


class Name(NamedTuple):
    """A name, the component behind it, its settings in one line, and what comes back from it in one sentence."""

    name: str
    use: str
    settings: str
    about: str = ""


def who_is_who(settings: dict[str, Any], summaries: Mapping[str, str] | None = None) -> dict[str, list[Name]]:
    """Return {title: names} of a study's resolved settings, sections without entries left out.

    summaries: {component: its sentence}. Settings that are off (null, false, empty) are left out; those of a component
    inside stand behind its name:
    "attack pgd (eps 0.1, steps 7)".
    """
    return {
        title: [
            Name(
                name, _last(use), _listed(entry), (summaries or {}).get(use, "").removeprefix("Return ").split(". ")[0]
            )
            for name, entry in settings[section].items()
            for use in [entry.get("use", "")]
        ]
        for section, title in SECTIONS.items()
        if settings.get(section)
    }


def _last(use: str) -> str:
    return use.rpartition("/")[2]


def _listed(entry: dict[str, Any]) -> str:
    return ", ".join(_told(entry))


def _told(entry: dict[str, Any]) -> Iterator[str]:
    for key, value in entry.items():
        if key == "use" or value is None or value is False or value in ([], {}, ""):
            continue
        if isinstance(value, dict):
            inner = _listed(value)
            yield f"{key} {_last(value.get('use', ''))}" + (f" ({inner})" if inner else "")
        else:
            yield f"{key} {_written(value)}"


def _written(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_written(item) for item in value)
    return "yes" if value is True else f"{value:g}" if isinstance(value, float) else str(value)
