"""CIFAR-100: 50,000 + 10,000 colour images, 32x32, a hundred classes.

Origin: Krizhevsky 2009, cs.toronto.edu/~kriz/cifar.html, from 80 Million Tiny Images. Licence: none stated; offered for
research. This is the binary version: only labels and pixels, no pickle. Its digest is the publisher's.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "cifar-100-binary.tar.gz",
        ("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",),
        "md5:03b5dce01913d631647c71ecec9e9cb8",
    ),
)


def cifar100(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write train.bin and test.bin into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the archive, not unpacked. None: download it.
        mirror: http address of a folder that serves the archive by name. None: the published address.

    Raises:
        FileNotFoundError: If the archive is missing; the message says where to put it.
        DamagedFile: If the archive is truncated, altered or another version.
    """
    for archive in published(ARCHIVES, "cifar100", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    name = PurePosixPath(member).name
    return name if name.endswith(".bin") else None
