"""Run git, and find the commit with the code that created a file."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.provenance import code

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
def commit_of_code(root: Path, files: tuple[tuple[str, str | None], ...]) -> str | None:
    """Return the newest commit whose package files have these code digests.

    Args:
        root: The repository.
        files: Pairs of a package file and its code digest; None if the commit does not contain the file.

    Returns:
        The commit and its date; None if there is no such commit or no git. Only commits that change one of the files
        are examined.
    """
    paths = [f"{FOLDER}/{name}" for name, _ in files]
    history = output(root, "log", f"-{DEEPEST}", "--format=%h %cs", "--", *paths)
    for line in (history or b"").decode().splitlines():
        commit, date = line.split()
        if all(_digest(root, commit, name) == digest for name, digest in files):
            return f"{commit} of {date}"
    return None


@cache
def _digest(root: Path, commit: str, name: str) -> str | None:
    """Return the code digest of a package file at a commit.

    It is computed as in `code.code_files`.
    """
    source = output(root, "show", f"{commit}:{FOLDER}/{name}")
    if source is None:
        return None
    try:
        return code.source_digest(source) if name.endswith(".py") else digests.sha256(source)
    except SyntaxError:
        return None
