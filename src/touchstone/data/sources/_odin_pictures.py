"""The sets of small pictures that the ODIN paper published as archives: one folder of pictures each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

PICTURES = (".jpg", ".jpeg", ".png")


def odin_pictures(
    archives: Sequence[Archive], source: str, folder: Path, name: str, *, local_folder: str | None, mirror: str | None
) -> None:
    """Write the archives' pictures as NAME/PICTURE into `folder`.

    Args:
        archives: of the source.
        source: its name in messages.
        folder: where to write.
        name: of the subfolder.
        local_folder: contains the archive, not unpacked. None: download it.
        mirror: http address of a folder that serves the archive by its name. None: the published address.

    Raises:
        FileNotFoundError: If the archive is missing; the message says where to put it.
        DamagedFile: If the archive is truncated, altered or another version.
    """

    def name_of(member: str) -> str | None:
        path = PurePosixPath(member)
        return f"{name}/{path.name}" if path.suffix.lower() in PICTURES and not path.name.startswith(".") else None

    for path in published(archives, source, local_folder=local_folder, mirror=mirror):
        unpack(path, folder, name_of)
