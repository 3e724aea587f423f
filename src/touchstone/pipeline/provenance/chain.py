"""The chain of sidecars: what a file was made from, back to raw data, and one digest over all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.provenance import sidecar_files

ROOT = "ROOT"  # beside the report: the digest of everything that it was made from
PARTLY = 4  # exit code where nothing wrong was found, but not all could be checked


def links(sidecar: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the links of a sidecar: each input's file, the digest of its bytes, the digest of its sidecar."""
    for found in sidecar["inputs"].values():
        yield from found


def reached(root: Path, files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {file: sidecar} of some files and of all that they were made from, in the order met, files first.

    ValueError names a sidecar that is missing or not readable.
    """
    waiting, found = list(files), dict[str, dict[str, Any]]()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found[file] = sidecar_files.read_sidecar(root / file)
            try:
                waiting += [link["file"] for link in links(found[file])]
            except (KeyError, TypeError, AttributeError):
                raise ValueError(
                    f"{sidecar_files.sidecar_path(root / file)}: names no inputs as a sidecar does"
                ) from None
    return found


def root_digest(report: Path) -> str:
    """Return one digest of all that a report was made from: that of its sidecar.

    A sidecar holds the digests of its inputs' sidecars, so this changes with any byte, setting or line of code behind
    the report, and with nothing else. A clone without data can compute it too.
    """
    return digests.file_digest(sidecar_files.sidecar_path(report))


def absent(root: Path, folder: str) -> bool:
    """Return whether a study's folder holds not one sidecar, as in a clone that has no data."""
    return next((root / folder).rglob("*" + sidecar_files.SIDECAR), None) is None


def how_to_get(study: str) -> str:
    """Return what to do where a study's data is not here."""
    return f"`make run STUDY={study}` computes the data, `dvc pull` fetches it"
