"""The files in a user's folder, without files from elsewhere that links lead to."""

from __future__ import annotations

import os
from pathlib import Path

from touchstone.records.encoding import DamagedFile


def files_in(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders, sorted, without hidden ones.

    A link to another file of the same folder is one of them.

    Raises:
        DamagedFile: If a link leads out of the folder, to a folder, or nowhere. Otherwise a folder from someone else
            could bring in any file of this machine.
    """
    files, root = [], folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *names):
            path = Path(place) / name
            if path.is_symlink() and not name.startswith("."):
                _check_link(path, root)
        files += [path for name in names if not name.startswith(".") and (path := Path(place) / name).is_file()]
    return sorted(files)


def _check_link(path: Path, root: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself
        target = None
    if target is None or not target.exists():
        raise DamagedFile(f"{path}: is a link that leads nowhere; delete it")
    if not target.is_relative_to(root) or target == root:
        raise DamagedFile(f"{path}: is a link that leads out of the folder, to {target}; replace it by a copy")
    if target.is_dir():
        raise DamagedFile(f"{path}: is a link to a folder, so its files would count twice; delete it")
