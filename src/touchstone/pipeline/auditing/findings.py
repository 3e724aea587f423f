"""What an audit finds, and the bytes that it looks at."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track

from touchstone.pipeline.provenance import sidecar_files


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with the artefact it is wrong with; or, if `unchecked`, one that could not be checked."""

    file: str
    problem: str
    unchecked: bool = False


def named(path: Path, root: Path) -> str:
    """Return an artefact's address below the project's folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def bytes_found(paths: list[Path], quiet: bool) -> dict[Path, str]:
    """Return the digest of each file, folder or member as it is on disk, several read at a time."""

    def digest(path: Path) -> str:
        try:
            return sidecar_files.artefact_digest(path)
        except ValueError as error:  # a bundle that is not whole
            return f"none ({error})"

    with ThreadPoolExecutor() as pool:
        found = pool.map(digest, paths)
        shown = track(found, "checking bytes", len(paths), console=Console(stderr=True), transient=True, disable=quiet)
        return dict(zip(paths, shown, strict=True))
