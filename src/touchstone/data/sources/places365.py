"""Places365: the 36,500 validation images, colour photographs of 365 kinds of place, 256x256.

Origin: Zhou et al. 2017, places2.csail.mit.edu. Licence: none stated for the photographs; offered for research.
Address and digest as in torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "val_256.tar",
        ("http://data.csail.mit.edu/places/places365/val_256.tar",),
        "md5:e27b17d8d44f4af9a78502beb927f808",
    ),
)


def places365(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write Places365_val_NUMBER.jpg into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the archive, not unpacked. None: download it.
        mirror: http address of a folder that serves the archive by name. None: the published address.

    Raises:
        FileNotFoundError: If the archive is missing; the message says where to put it.
        DamagedFile: If the archive is truncated, altered or another version.
    """
    for archive in published(ARCHIVES, "places365", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    return path.name if path.suffix == ".jpg" else None
