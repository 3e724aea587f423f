"""The findings of an audit, and the digests that it computes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from touchstone.messages import unguarded
from touchstone.pipeline.jobs import processes
from touchstone.provenance import artefact_paths, sidecar_files
from touchstone.provenance.job_folders import SIDECAR

LARGE = 64e6  # bytes; fewer are digested at once


@dataclass(frozen=True)
class Finding:
    """One problem of one artefact.

    Attributes:
        file: the artefact's path.
        problem: what is wrong with it.
        unchecked: whether it could not be checked, so that nothing is known to be wrong.
        note: whether it is only information: nothing is wrong.
    """

    file: str
    problem: str
    unchecked: bool = False
    note: bool = False


def path_from(root: Path, path: Path) -> str:
    """Return an artefact's path from the project's folder."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def altered_bytes(digest: str, record: Mapping[str, Any]) -> str:
    """Return which digest an artefact's bytes have instead of that in its record, or ""."""
    recorded = record["artefact"]
    return "" if digest == recorded else f"its bytes have digest {digest}, its sidecar says {recorded}"


def in_short(findings: Iterable[Finding], *counted: str) -> Iterator[str]:
    """Yield a line per problem: first of files that are wrong themselves, last the notes.

    Args:
        findings: The findings.
        counted: How problems begin of which only one file is named and the others are counted. They follow the others.
    """
    files: dict[str, list[str]] = {}
    for finding in sorted(findings, key=lambda finding: (finding.note, finding.problem.startswith(counted))):
        files.setdefault(finding.problem, []).append(finding.file)
    for problem, (first, *others) in files.items():
        if problem.startswith(counted) and len(others) > 1:
            yield f"{first} and {len(others)} other files: {problem}"
        else:
            yield from (f"{file}: {problem}" for file in (first, *others))


def is_artefact(what: str) -> bool:
    """Return whether a word of the command line names an artefact: by a path or a name, which have a slash."""
    return "/" in what and not what.endswith((".yaml", ".yml"))


def artefacts_named(what: str) -> list[str]:
    """Return the paths of the artefacts that a user names: by a path, by the folder of a job, or by an artefact's name.

    For any page of a report, return report.html, which has the sidecar.

    Raises:
        ValueError: There is no such artefact, several studies have it, or the sidecar of the job is damaged.
    """
    path = Path(what).parent if Path(what).name == SIDECAR else Path(what)
    page = path.parent / "report.html"
    if found := artefact_paths.members(path):
        return [member.as_posix() for member in found]
    for file in (path, page):
        if sidecar_files.sidecar_path(file).is_file() and (file == path or path.exists()):
            return [file.as_posix()]
    if path.exists():
        raise ValueError(f"{what}: no job made it, or its sidecar was deleted, so there is no record of it")
    try:
        return [artefact_paths.find_artefact(Path(), "*", what)]
    except artefact_paths.Absent:
        problem = f"{what}: there is no such file, and no artefact of this name"
        raise ValueError(f"{problem}; touchstone trace STUDY --number CLAIM names those behind a number") from None


@contextmanager
def computed_digests(paths: list[Path], quiet: bool) -> Iterator[Callable[[], dict[Path, str]]]:
    """Compute the digest of each file or folder on disk; large ones in other processes, while the block runs.

    Args:
        paths: The artefacts.
        quiet: Whether to hide the progress bar.

    Yields:
        A function that waits for the digests and returns them.
    """
    terminal = Console(file=unguarded(sys.stderr))
    shown = partial(
        track,
        description="checking bytes",
        total=len(paths),
        console=terminal,
        transient=True,
        disable=quiet or not terminal.is_terminal,  # where it would leave an empty line
    )
    pool = None
    if sum(path.stat().st_size for path in paths) >= LARGE:
        # Threads would wait for the interpreter's lock, which the block holds. A forked process need import nothing.
        pool = ProcessPoolExecutor(processes.available_cores(), get_context("fork"))
    digest = sidecar_files.artefact_digest
    computed = pool.map(digest, paths, chunksize=32) if pool else map(digest, paths)
    try:
        yield lambda: dict(zip(paths, shown(computed), strict=True))
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def actual_digests(paths: list[Path], quiet: bool) -> dict[Path, str]:
    """Return the digest of each file or folder on disk."""
    with computed_digests(paths, quiet) as wait:
        return wait()
