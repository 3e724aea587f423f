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
from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.addresses import files_of

LARGE = 64e6  # bytes; fewer are digested at once


@dataclass(frozen=True)
class Finding:
    """One problem of one artefact.

    Attributes:
        file: the artefact's address.
        problem: what is wrong with it.
        unchecked: whether it could not be checked, so that nothing is known to be wrong.
        note: whether it is only information: nothing is wrong.
    """

    file: str
    problem: str
    unchecked: bool = False
    note: bool = False


def address_of(path: Path, root: Path) -> str:
    """Return an artefact's address relative to the project's folder."""
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


def no_such_file(name: str) -> ValueError:
    """Return the error about an artefact that is not there."""
    return ValueError(f"{name}: no such file; touchstone trace STUDY --number CLAIM names those behind a number")


@contextmanager
def computed_digests(paths: list[Path], quiet: bool) -> Iterator[Callable[[], dict[Path, str]]]:
    """Compute the digest of each file, folder or member on disk; large ones in other processes, while the block runs.

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
    if sum(Path(file).stat().st_size for file in files_of(map(str, paths))) >= LARGE:
        # Threads would wait for the interpreter's lock, which the block holds. A forked process need import nothing.
        pool = ProcessPoolExecutor(processes.available_cores(), get_context("fork"))
    computed = pool.map(_digest, paths, chunksize=32) if pool else map(_digest, paths)
    try:
        yield lambda: dict(zip(paths, shown(computed), strict=True))
    finally:
        if pool:
            pool.shutdown(cancel_futures=True)


def actual_digests(paths: list[Path], quiet: bool) -> dict[Path, str]:
    """Return the digest of each file, folder or member on disk."""
    with computed_digests(paths, quiet) as wait:
        return wait()


def _digest(path: Path) -> str:
    try:
        return sidecar_files.artefact_digest(path)
    except ValueError as error:  # an incomplete bundle
        return f"none ({error})"
