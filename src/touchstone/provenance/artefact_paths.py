"""Find the artefacts of studies that have run: by their names, or in the folder of a job."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from touchstone.provenance import sidecar_files
from touchstone.provenance.job_folders import RESULTS, SIDECAR, name_of

RAW = "raw/"  # how the names of raw files begin


class Absent(ValueError):
    """No record has the name of an artefact."""


def find_artefact(root: Path, study: str, name: str) -> str:
    """Return the path of an artefact from the project's folder, by its name, such as scores/cnn.0/msp/digits_test.

    Args:
        root: The project's folder.
        study: The study; * for all.
        name: The name, as tables of numbers have it.

    Raises:
        Absent: No artefact has this name.
        ValueError: Several have it, or none has it and a sidecar is damaged.
    """
    return find_artefacts(root, study, [name])[0]


def find_artefacts(root: Path, study: str, names: Iterable[str]) -> list[str]:
    """Return the path of each artefact by its name; otherwise as `find_artefact`."""
    found: dict[str, list[str]] = {name: _raw_files(root, name) for name in names}
    damaged: ValueError | None = None
    for sidecar in sorted((root / RESULTS).glob(f"{study}/*/*/{SIDECAR}")):
        try:
            paths = members(sidecar.parent)
        except ValueError as error:
            damaged = damaged or error
            continue
        for path in paths:
            file = path.relative_to(root).as_posix()
            if (name := name_of(file)) in found:
                found[name].append(file)
    for name, files in found.items():
        if len(files) > 1:
            raise ValueError(f"{name}: several artefacts have this name: {', '.join(files)}; name one by its path")
        if not files:
            raise damaged or Absent(f"{name}: no artefact in {RESULTS}/{study} has this name")
    return [file for (file,) in found.values()]


def _raw_files(root: Path, name: str) -> list[str]:
    file = f"data/{name}"
    return [file] if name.startswith(RAW) and sidecar_files.exists(root / file) else []


def members(folder: Path) -> list[Path]:
    """Return the artefacts in the folder of a job, as its sidecar lists them; none for any other path.

    Raises:
        ValueError: The sidecar is damaged.
    """
    return [folder / name for name in sidecar_files.read_folder(folder)] if (folder / SIDECAR).is_file() else []
