"""SVHN: 73,257 + 26,032 colour images of house numbers, 32x32, ten classes.

Origin: Netzer et al. 2011, ufldl.stanford.edu/housenumbers, cropped digits. Licence: non-commercial use only.
Addresses and digests as in torchvision 0.29.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from touchstone.data.ingest.downloads import Archive, published

BASE = "http://ufldl.stanford.edu/housenumbers/"
ARCHIVES = tuple(
    Archive(name, (BASE + name,), f"md5:{md5}")
    for name, md5 in (
        ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
        ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    )
)


def svhn(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write train_32x32.mat and test_32x32.mat into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the files. None: download them.
        mirror: http address of a folder that serves the files by name. None: the published address.

    Raises:
        FileNotFoundError: If a file is missing; the message says where to put it.
        DamagedFile: If a file is truncated, altered or another version.
    """
    for path in published(ARCHIVES, "svhn", local_folder=local_folder, mirror=mirror):
        shutil.copyfile(path, folder / path.name)
