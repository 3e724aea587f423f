"""The files beside a plug-in whose code names its own file: it can read any of them, so all count as its code."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

from touchstone import plugins
from touchstone.provenance.reach import OWN_FILE, Unfollowed

MOST_FILES = 1_000  # in the folder of such a plug-in


def beside(module: Path) -> dict[Path, str]:
    """Return all files and folders of the folder of plug-ins that holds a module, each with its name in there.

    Those that are hidden or compiled are not among them. A module of the package has none.

    Raises:
        Unfollowed: The folder holds more than plug-ins and what they read.
    """
    folder = next((folder for folder in plugins.places()[1:] if module.is_relative_to(folder)), None)
    if folder is None:
        return {}
    if Path.cwd().is_relative_to(folder):
        raise _unfit(module, folder, "the project")
    found = {}
    for place in chain([folder], folder.rglob("*")):
        parts = place.relative_to(folder).parts
        if any(part.startswith(".") or part == "__pycache__" for part in parts) or place.suffix == ".pyc":
            continue
        if place.is_file() or place.is_dir():
            found[place] = "/".join(parts)
        if len(found) > MOST_FILES:
            raise _unfit(module, folder, f"more than {MOST_FILES:,} files and folders")
    return dict(sorted(found.items()))


def _unfit(module: Path, folder: Path, content: str) -> Unfollowed:
    return Unfollowed(
        f"{module}: names {OWN_FILE}, so every file of its folder of plug-ins counts as its code, but {folder} holds"
        f" {content}; put the plug-ins and the files that they read into a folder of their own"
    )
