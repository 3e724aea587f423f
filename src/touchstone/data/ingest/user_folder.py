"""The files in a user's folder, without files from elsewhere that links lead to."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from touchstone.records.damage import DamagedFile

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass
class Contents:
    """What a folder and its subfolders contain.

    Attributes:
        files: the plain files, sorted, without hidden ones.
        hidden: number of hidden files and folders.
        special: number of pipes, sockets and devices.
    """

    files: list[Path] = field(default_factory=list)
    hidden: int = 0
    special: int = 0


def contents(folder: Path) -> Contents:
    """Return what a folder and its subfolders contain. A link to another file of the same folder is a file.

    Raises:
        DamagedFile: If a link leads out of the folder, to a folder, or nowhere. Otherwise a folder from someone else
            could bring in any file of this machine. Also if a name is not UTF-8, because no study can name that file, or
            has control characters, because two folders could then have one digest.
        OSError: If a folder cannot be read.
    """
    found, root = Contents(), folder.resolve()
    for place, folders, names in os.walk(folder, onerror=_raise):
        found.hidden += sum(name.startswith(".") for name in (*folders, *names))
        folders[:] = [name for name in folders if not name.startswith(".")]
        names = [name for name in names if not name.startswith(".")]
        for name in (*folders, *names):
            path = Path(place) / name
            check_name(Path(place), name)
            if path.is_symlink():
                _check_link(path, root)
        for name in names:
            path = Path(place) / name
            if path.is_file():
                found.files.append(path)
            else:
                found.special += 1
    found.files.sort()
    return found


def files_in(folder: Path) -> list[Path]:
    """Return the files in a folder and its subfolders, sorted, without hidden ones, as `contents` finds them."""
    return contents(folder).files


def _raise(error: OSError) -> None:
    raise error


def check_name(place: Path, name: str) -> None:
    """Check the name of a file in a folder or an archive; DamagedFile if it has control characters or is not UTF-8."""
    if CONTROL.search(name):
        raise DamagedFile(f"{place}: contains a name with a control character, {name!r}; rename it")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DamagedFile(f"{place}: contains a name that is not UTF-8, {os.fsencode(name)!r}; rename it") from None


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
