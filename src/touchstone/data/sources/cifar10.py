"""CIFAR-10: 50,000 + 10,000 colour images, 32x32, ten classes.

Origin: Krizhevsky 2009, cs.toronto.edu/~kriz/cifar.html, from 80 Million Tiny Images. Licence: none stated; offered for
research. This is the binary version: only labels and pixels, no pickle. Its digest is the publisher's.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "cifar-10-binary.tar.gz",
        ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
        "md5:c32a1d4ab5d03f1284b67883e8d87530",
    ),
)


def cifar10(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write data_batch_1.bin to data_batch_5.bin and test_batch.bin into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the archive, not unpacked. None: download it.
        mirror: http address of a folder that serves the archive by name. None: the published address.

    Raises:
        FileNotFoundError: If the archive is missing; the message says where to put it.
        DamagedFile: If the archive is truncated, altered or another version.
    """
    for archive in published(ARCHIVES, "cifar10", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    name = PurePosixPath(member).name
    return name if name.endswith(".bin") else None
