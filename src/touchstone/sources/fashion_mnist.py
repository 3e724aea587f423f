"""Fashion-MNIST: 60,000 + 10,000 gray images of Zalando's articles, 28x28, ten classes.

Origin: Xiao, Rasul and Vollgraf 2017, github.com/zalandoresearch/fashion-mnist. Licence: MIT, (c) 2017 Zalando SE.
Debian ships it as dataset-fashion-mnist.
"""

from __future__ import annotations

import gzip
import tempfile
import zlib
from importlib import import_module
from pathlib import Path

from touchstone.raw_files import read_bytes
from touchstone.records import DamagedFile

FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def fashion_mnist(folder: Path, *, local_folder: str | None = None) -> None:
    """Write the four idx files into `folder`, decompressed: the same bytes whichever place served them.

    They are taken from `local_folder` (files as they are or gzipped) where it is given; else from Debian's package
    dataset-fashion-mnist; else through torchvision's mirrors. FileNotFoundError names the files that are missing and
    where to put them; DamagedFile names a gzipped file that is not whole.
    """
    if local_folder is not None:
        place = Path(local_folder).expanduser()
        missing = [name for name in FILES if _find(place, name) is None]
        if missing:
            raise FileNotFoundError(f"fashion_mnist: local_folder {place} lacks {', '.join(missing)} (or NAME.gz)")
        _copy(place, folder)
    elif all(_find(DEBIAN, name) for name in FILES):
        _copy(DEBIAN, folder)
    else:
        _download(folder)


def _find(place: Path, name: str) -> Path | None:
    return next((path for path in (place / name, place / f"{name}.gz") if path.is_file()), None)


def _copy(place: Path, folder: Path) -> None:
    for name in FILES:
        path = _find(place, name) or place / name
        data = read_bytes(path)
        try:
            data = gzip.decompress(data) if path.suffix == ".gz" else data
        except (OSError, EOFError, zlib.error) as error:
            raise DamagedFile(f"{path}: not a whole gzip file ({error})") from error
        (folder / name).write_bytes(data)


def _download(folder: Path) -> None:
    mirrors = import_module("torchvision.datasets")  # here, because it costs seconds and imports torch
    with tempfile.TemporaryDirectory() as scratch:
        try:
            mirrors.FashionMNIST(scratch, download=True)
        except (RuntimeError, OSError) as error:
            raise FileNotFoundError(
                f"fashion_mnist: not in {DEBIAN}, and torchvision's mirrors failed ({error}). Put "
                f"{', '.join(FILES)} (gzipped or not) into a folder and set local_folder to it, or: "
                "apt-get install dataset-fashion-mnist"
            ) from error
        _copy(Path(scratch) / "FashionMNIST" / "raw", folder)
