"""MNIST: 60,000 + 10,000 gray images of handwritten digits, 28x28, ten classes.

Origin: LeCun, Cortes and Burges 1998, yann.lecun.com/exdb/mnist, from NIST's special databases.
Licence: CC BY-SA 3.0. Addresses and digests as in torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.downloads import Archive, idx_files

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
ARCHIVES = tuple(
    Archive(name, tuple(mirror + name for mirror in MIRRORS), f"md5:{md5}")
    for name, md5 in (
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    )
)


def mnist(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write the four idx files into `folder`, decompressed, so that every server gives the same bytes.

    Args:
        folder: where to write.
        local_folder: contains the files, gzipped or not. None: download them.
        mirror: http address of a folder that serves the gzipped files by name. None: the published addresses.

    Raises:
        FileNotFoundError: If a file is missing; the message says where to put it.
        DamagedFile: If a file is not whole.
    """
    idx_files(ARCHIVES, "mnist", folder, local_folder=local_folder, mirror=mirror)
