"""The findings of an audit, and the digests that it computes."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from touchstone.pipeline.provenance import sidecar_files


@dataclass(frozen=True)
class Finding:
    """One problem of one artefact.

    Attributes:
        file: the artefact's address.
        problem: what is wrong with it.
        unchecked: whether it could not be checked, so that nothing is known to be wrong.
    """

    file: str
    problem: str
    unchecked: bool = False


def address_of(path: Path, root: Path) -> str:
    """Return an artefact's address relative to the project's folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def altered_bytes(digest: str, record: Mapping[str, Any]) -> str:
    """Return which digest an artefact's bytes have instead of that in its record, or ""."""
    recorded = record["artefact"]
    return "" if digest == recorded else f"its bytes have digest {digest}, its sidecar says {recorded}"


def no_such_file(name: str) -> ValueError:
    """Return the error about an artefact that is not there."""
    return ValueError(f"{name}: no such file; touchstone trace STUDY --number CLAIM names those behind a number")


def actual_digests(paths: list[Path], quiet: bool) -> dict[Path, str]:
    """Return the digest of each file, folder or member on disk, read in parallel."""

    def digest(path: Path) -> str:
        try:
            return sidecar_files.artefact_digest(path)
        except ValueError as error:  # an incomplete bundle
            return f"none ({error})"

    with ThreadPoolExecutor() as pool:
        computed = pool.map(digest, paths)
        shown = track(
            computed, "checking bytes", len(paths), console=Console(stderr=True), transient=True, disable=quiet
        )
        return dict(zip(paths, shown, strict=True))
