"""Textures (DTD): 5,640 colour photographs of 47 kinds of texture.

Origin: Cimpoi et al. 2014, robots.ox.ac.uk/~vgg/data/dtd, release 1.0.1. Licence: none stated; offered for research.
Address and digest as in torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "dtd-r1.0.1.tar.gz",
        ("https://www.robots.ox.ac.uk/~vgg/data/dtd/download/dtd-r1.0.1.tar.gz",),
        "md5:fff73e5086ae6bdbea199a49dfb8a4c1",
    ),
)


def textures(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write KIND/KIND_NUMBER.jpg into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the archive, not unpacked. None: download it.
        mirror: http address of a folder that serves the archive by name. None: the published address.

    Raises:
        FileNotFoundError: If the archive is missing; the message says where to put it.
        DamagedFile: If the archive is truncated, altered or another version.
    """
    for archive in published(ARCHIVES, "textures", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    is_picture = path.parts[:2] == ("dtd", "images") and path.suffix == ".jpg"
    return "/".join(path.parts[2:]) if is_picture else None
