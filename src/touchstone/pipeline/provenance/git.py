"""What git says of this folder, and which commit holds the code that a file was made by."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.provenance import code

FOLDER = "src/touchstone"
DEEPEST = 500  # commits looked at, so that an audit of a long history ends


def said(root: Path, *arguments: str) -> bytes | None:
    """Return what git prints; None where it is not installed, or says no."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


@cache
def of_code(root: Path, files: tuple[tuple[str, str | None], ...]) -> str | None:
    """Return the newest commit, with its date, in which the package files had these code digests (None: not there).

    None where no commit has, or there is no git. Only commits that touch one of the files are looked at.
    """
    paths = [f"{FOLDER}/{name}" for name, _ in files]
    history = said(root, "log", f"-{DEEPEST}", "--format=%h %cs", "--", *paths)
    for line in (history or b"").decode().splitlines():
        commit, date = line.split()
        if all(_digest(root, commit, name) == digest for name, digest in files):
            return f"{commit} of {date}"
    return None


@cache
def _digest(root: Path, commit: str, name: str) -> str | None:
    """Return the code digest of a package file at a commit, as `provenance.code_files` counts it."""
    source = said(root, "show", f"{commit}:{FOLDER}/{name}")
    if source is None:
        return None
    try:
        return code.source_digest(source) if name.endswith(".py") else digests.sha256(source)
    except SyntaxError:
        return None
