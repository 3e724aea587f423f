"""Run git, and find the commit with the code that created a file."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from touchstone import digests
from touchstone.provenance import definitions

FOLDER = "src/touchstone"
DEEPEST = 500  # the most commits to examine; an audit of a long history has to end


def output(root: Path, *arguments: str) -> bytes | None:
    """Return the output of a git command; None if it fails or git is missing."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


@cache
def commit_of_code(root: Path, wanted: tuple[tuple[str, str | None], ...]) -> str | None:
    """Return the newest commit that has these definitions.

    Args:
        root: The repository.
        wanted: Pairs of a definition, as records name it, and the digest of its text; None if the commit lacks it.

    Returns:
        The commit and its date; None if there is no such commit or no git. Only commits that change one of the files
        are examined.
    """
    paths = sorted({f"{FOLDER}/{_file_of(name)}" for name, _ in wanted})
    history = output(root, "log", f"-{DEEPEST}", "--format=%h %cs", "--", *paths)
    for line in (history or b"").decode().splitlines():
        commit, date = line.split()
        if all(_digest(root, commit, name) == digest for name, digest in wanted):
            return f"{commit} of {date}"
    return None


def _file_of(name: str) -> str:
    """Return the file in which a definition stands; a data file stands for itself."""
    return name if "/" in name else f"{name.rpartition('.')[0].replace('.', '/')}.py"


@cache
def _digest(root: Path, commit: str, name: str) -> str | None:
    """Return the digest of a definition's text at a commit, as records have it."""
    source = output(root, "show", f"{commit}:{FOLDER}/{_file_of(name)}")
    if source is None or "/" in name:
        return None if source is None else digests.sha256(source)
    try:
        part = definitions.parse(source).part(name.rpartition(".")[2])
    except ValueError:  # another Python's syntax
        return None
    return None if part is None else part.digest()
