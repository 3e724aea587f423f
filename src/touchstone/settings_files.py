"""The files that settings are written in: params.yaml, the overlays of studies; what is wrong with them, in words."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

DEFAULT_STUDY = "digits"
NAME = re.compile(r"[a-z][a-z0-9_]*")


class ParamsError(ValueError):
    """Everything that is wrong with the settings of a study, one line each."""


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
