"""Data sets that --data takes by name: the official test images, as one array file."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

import numpy as np

from touchstone.data.cifar10 import cifar10
from touchstone.data.cifar100 import cifar100
from touchstone.data.sources import cifar10 as cifar10_files
from touchstone.data.sources import cifar100 as cifar100_files
from touchstone.provenance import whole_files

FOLDER = Path(".touchstone/data")
SETS = {
    "cifar10": (cifar10_files.cifar10, cifar10, cifar10_files.ARCHIVES),
    "cifar100": (cifar100_files.cifar100, cifar100, cifar100_files.ARCHIVES),
}


def located(data: str) -> Path:
    """Return the place of the images: `data`, or the array file of the test set that it names, downloaded if missing.

    Raises:
        FileNotFoundError: the set cannot be downloaded; the message says where to put it.
    """
    place = Path(data).expanduser()
    if place.exists() or data not in SETS:
        return place
    file = FOLDER / f"{data}_test.npz"
    if not file.is_file():
        fetch, part, archives = SETS[data]
        with tempfile.TemporaryDirectory() as folder:
            try:
                fetch(Path(folder))
            except FileNotFoundError:
                downloads = os.environ.get("TOUCHSTONE_DOWNLOADS") or ".touchstone/downloads"
                raise FileNotFoundError(
                    f"--data {data}: there is no such folder here, and the set cannot be downloaded. Download"
                    f" {archives[0].urls[0]} yourself and put it into {downloads}"
                ) from None
            test = part(Path(folder), part="test")
        stream = io.BytesIO()
        np.savez(stream, images=np.rint(test.images * 255).astype(np.uint8), labels=test.labels)
        whole_files.write_whole(file, stream.getvalue())
    return file
