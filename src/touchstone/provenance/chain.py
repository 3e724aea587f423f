"""The chain of sidecars, from a file back to raw data, and its digest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.provenance import job_folders, sidecar_files

ROOT = "ROOT"  # the file next to the report with the digest of everything that the report was made from
PARTLY = 4  # exit code if nothing is wrong, but some checks were impossible


def links(sidecar: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the links of a sidecar, one per input.

    A link is the file and the digests of its bytes and of its sidecar.
    """
    for role_links in sidecar["inputs"].values():
        yield from role_links


def reached(place: Callable[[str], Path], files: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return {file: record} of these files and of everything behind them.

    Args:
        place: Returns where a file lies.
        files: The files.

    Raises:
        DamagedSidecar: A sidecar is not what a job writes.
        ValueError: A sidecar is missing.
    """
    waiting, records = list(files), dict[str, dict[str, Any]]()
    while waiting:
        file = waiting.pop()
        if file not in records:
            records[file] = sidecar_files.read_sidecar(place(file))
            sidecar = sidecar_files.sidecar_path(place(file))
            if not isinstance(records[file].get("step"), str):
                raise sidecar_files.DamagedSidecar(f"{sidecar}: not a sidecar: its step is missing or malformed")
            try:
                waiting += [_file(link) for link in links(records[file])]
            except (KeyError, TypeError, AttributeError):
                raise sidecar_files.DamagedSidecar(
                    f"{sidecar}: not a sidecar: its inputs are missing or malformed"
                ) from None
    return records


def _file(link: dict[str, str]) -> str:
    """Return the file of a link; TypeError if it is not text."""
    if not isinstance(link["file"], str):
        raise TypeError
    return link["file"]


def root_digest(report: Path) -> str:
    """Return one digest of everything behind a report: that of its sidecar.

    A sidecar contains the digests of its inputs' sidecars. So this digest changes only with the bytes, settings and code
    that the report depends on. A clone without data can compute it too.
    """
    return digests.file_digest(sidecar_files.sidecar_path(report))


def absent(root: Path, folder: str) -> bool:
    """Return whether a study's folder has no sidecar of a job, as in a clone without data."""
    return not any((root / folder).glob(f"*/*/{job_folders.SIDECAR}"))


def how_to_get(study: str) -> str:
    """Return advice for a user without the study's data."""
    return f"`make run STUDY={study}` computes the data; if you have a DVC remote that holds it, type `dvc pull` before"
