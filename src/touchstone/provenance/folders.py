"""Walk through folders, also through those that are links: large folders often lie on another disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def entries_below(folder: str | Path, linked: set[tuple[int, int]] | None = None) -> Iterator[os.DirEntry[str]]:
    """Yield the entry of every file below a folder; links are followed, into each folder once.

    Args:
        folder: The folder.
        linked: The device and inode of folders that links led to; they are not entered again.
    """
    linked = set() if linked is None else linked
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry
                continue
            if entry.is_symlink():
                place = (entry.stat().st_dev, entry.stat().st_ino)
                if place in linked:
                    continue
                linked.add(place)
            yield from entries_below(entry.path, linked)


def files_below(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Yield the files below a folder whose names end in `suffix`; none if there is no such folder.

    A link to nothing is no file.
    """
    if folder.is_dir():
        yield from (
            Path(entry.path) for entry in entries_below(folder) if entry.name.endswith(suffix) and entry.is_file()
        )
