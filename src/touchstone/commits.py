"""Which commit holds the code that a file was made by."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from touchstone import digests, git, provenance

FOLDER = "src/touchstone"
DEEPEST = 500  # commits looked at, so that an audit of a long history ends


@cache
def of_code(root: Path, files: tuple[tuple[str, str | None], ...]) -> str | None:
    """Return the newest commit, with its date, in which the package files had these code digests (None: not there).

    None where no commit has, or there is no git. Only commits that touch one of the files are looked at.
    """
    paths = [f"{FOLDER}/{name}" for name, _ in files]
    history = git.said(root, "log", f"-{DEEPEST}", "--format=%h %cs", "--", *paths)
    for line in (history or b"").decode().splitlines():
        commit, date = line.split()
        if all(_digest(root, commit, name) == digest for name, digest in files):
            return f"{commit} of {date}"
    return None


@cache
def _digest(root: Path, commit: str, name: str) -> str | None:
    """Return the code digest of a package file at a commit, as `provenance.code_files` counts it."""
    source = git.said(root, "show", f"{commit}:{FOLDER}/{name}")
    if source is None:
        return None
    try:
        return provenance.source_digest(source) if name.endswith(".py") else digests.sha256(source)
    except SyntaxError:
        return None
