"""Fashion-MNIST: 60,000 + 10,000 gray images of Zalando's articles, 28x28, ten classes.

Origin: Xiao, Rasul and Vollgraf 2017, github.com/zalandoresearch/fashion-mnist. Licence: MIT, (c) 2017 Zalando SE.
Debian ships it as dataset-fashion-mnist. Addresses and digests as in torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.downloads import Archive, has_idx_files, idx_files

MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
ARCHIVES = tuple(
    Archive(name, tuple(mirror + name for mirror in MIRRORS), f"md5:{md5}")
    for name, md5 in (
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    )
)
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write the four idx files into `folder`, decompressed, so that every server gives the same bytes.

    Args:
        folder: where to write.
        local_folder: contains the files, gzipped or not. None: use `mirror`, else Debian's package dataset-fashion-mnist,
            else torchvision's mirror.
        mirror: http address of a folder that serves the gzipped files by name. None: the published addresses.

    Raises:
        FileNotFoundError: If a file is missing; the message says where to put it.
        DamagedFile: If a file is not whole.
    """
    if local_folder is None and mirror is None and has_idx_files(ARCHIVES, DEBIAN):
        local_folder = str(DEBIAN)
    try:
        idx_files(ARCHIVES, "fashion_mnist", folder, local_folder=local_folder, mirror=mirror)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}\nOr on Debian: apt-get install dataset-fashion-mnist") from error
