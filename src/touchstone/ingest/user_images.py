"""The user's images: a folder of pictures per class, an .npz file or a safetensors file.

Uses only numpy and PIL. Nothing is resized, converted or left out unless a setting says so.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from touchstone.ingest.example_notes import NO_CLASS
from touchstone.ingest.picture_files import UNDECODABLE, decoded
from touchstone.ingest.pixels import LEVELS
from touchstone.ingest.raw_files import read_bytes
from touchstone.ingest.user_folder import files_in
from touchstone.messages import first_line
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array

PICTURES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"})
ARRAYS = frozenset({".npz", ".safetensors"})
NOT_ARRAYS = (
    *(SafetensorError, ValueError, KeyError, OSError, EOFError, MemoryError, NotImplementedError, RuntimeError),
    *(OverflowError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error),
)
MOST_BYTES = 16 << 30  # of all images together, decompressed, as 8-bit levels
MOST_CLASSES = 100_000
SHOWN = 5  # names that a message lists
Colour = Literal["as_stored", "gray", "rgb"]


@dataclass(frozen=True)
class Shaping:
    """How pictures become images of one shape: resized to (height, width) or not, with which channels."""

    size: tuple[int, int] | None = None
    colour: Colour = "as_stored"


@dataclass(frozen=True)
class OwnImages:
    """What a folder or file contains.

    Attributes:
        labels: class of each row, (N,); -1 for none.
        classes: names, by number.
        names: of the rows: files, or FILE[row].
        pictures: files of the rows, if they are pictures.
        arrays: the images, if they are arrays.
    """

    labels: Array
    classes: tuple[str, ...]
    names: tuple[str, ...]
    pictures: tuple[Path, ...] = ()
    arrays: Array | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, rows: Iterable[int], shaping: Shaping) -> tuple[Array, list[tuple[str, str]], list[int]]:
        """Return images (N, C, H, W), uint8 or float in [0, 1]; broken ones with the reason; and the rows read.

        Raises:
            ValueError: If images differ in shape, or are too large together.
        """
        rows = list(rows)
        read: list[Array] = []
        broken: list[tuple[str, str]] = []
        good: list[int] = []
        for row in rows:
            try:
                pixels = self._pixels(int(row), shaping)
            except UNDECODABLE as error:
                broken.append((self.names[row], first_line(error).split(" <")[0]))
                continue
            if not read and len(rows) * pixels.size > MOST_BYTES:
                raise ValueError(
                    f"{len(rows)} images of {_times(pixels.shape)} (channels x height x width) are"
                    f" {len(rows) * pixels.size / 1e9:.1f} GB; at most {MOST_BYTES / 1e9:.1f} GB: give a size to resize to"
                )
            if read and pixels.shape != read[0].shape:
                raise ValueError(
                    f"{self.names[row]} is {_times(pixels.shape)} (channels x height x width),"
                    f" {self.names[good[0]]} is {_times(read[0].shape)}:"
                    " give a size to resize to, and gray or rgb, so that all are alike"
                )
            read.append(pixels)
            good.append(int(row))
        return (np.stack(read) if read else np.zeros((0, 1, 1, 1), np.uint8)), broken, good

    def _pixels(self, row: int, shaping: Shaping) -> Array:
        """Return one image (C, H, W), resized and converted."""
        if self.arrays is not None:
            pixels = self.arrays[row]
            if not np.isfinite(pixels).all():
                raise ValueError("contains NaN or infinity")
            if shaping == Shaping():
                return np.asarray(pixels)
            levels = pixels if pixels.dtype == np.uint8 else np.rint(pixels * LEVELS).astype(np.uint8)
            picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1).copy())
        else:
            picture = decoded(read_bytes(self.pictures[row]))
        return _shaped(picture, shaping)


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _shaped(picture: Image.Image, shaping: Shaping) -> Array:
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"its pixels are not of 8 bits (mode {picture.mode}); convert it first")
    mode = {"gray": "L", "rgb": "RGB"}.get(shaping.colour) or ("L" if picture.mode in ("1", "L") else "RGB")
    picture = picture.convert(mode)
    if shaping.size is not None and picture.size != shaping.size[::-1]:
        picture = picture.resize(shaping.size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def own_images(folder: Path, classes: Iterable[str] = (), *, labelled: bool = True) -> OwnImages:
    """Return the user's images in a folder or an array file.

    Pictures are in one folder per class. If all folders have whole numbers as names, these are the classes' numbers.
    Otherwise classes are numbered in the order of their names, or as in `classes`.

    Args:
        folder: with pictures or a single array file; or an array file.
        classes: names of the class folders, in the order of the model's classes.
        labelled: False: pictures may be in any folder, and labels are -1.

    Raises:
        DamagedFile: If files or classes are missing.
        ValueError: If a folder is not among `classes`.
    """
    files = [folder] if folder.is_file() else files_in(folder)
    arrays = [path for path in files if path.suffix.lower() in ARRAYS]
    pictures = [path for path in files if path.suffix.lower() in PICTURES]
    if len(arrays) == 1 and not pictures:
        return _of_arrays(arrays[0], labelled)
    if not pictures:
        kinds = ", ".join(sorted(PICTURES | ARRAYS))
        raise DamagedFile(f"{folder}: no images: expected pictures, one .npz or one .safetensors file ({kinds})")
    names = tuple(path.relative_to(folder).as_posix() for path in pictures)
    if not labelled:
        return OwnImages(np.full(len(pictures), NO_CLASS, np.int64), (), names, tuple(pictures))
    loose = [path.name for path in pictures if path.parent == folder]
    if loose:
        raise DamagedFile(
            f"{folder}: no classes: {loose[0]}{' and others are' if len(loose) > 1 else ' is'} in no class folder;"
            " put each picture into a folder named for its class"
        )
    folders = [path.relative_to(folder).parts[0] for path in pictures]
    order = _classes(sorted(set(folders)), tuple(classes), folder)
    numbers = {name: number for number, name in enumerate(order) if name}
    labels = np.array([numbers[name] for name in folders], np.int64)
    return OwnImages(labels, order, names, tuple(pictures))


def _classes(folders: list[str], order: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return the names of the classes by number; "" for a number that no folder has."""
    if order:
        if unknown := sorted(set(folders) - set(order)):
            raise ValueError(f"{folder}: the folder {unknown[0]} is not among the classes given: {', '.join(order)}")
        return order
    if not all(name.isascii() and name.isdecimal() for name in folders):
        return tuple(folders)
    numbers: dict[int, str] = {}
    for name in folders:
        if len(name) > len(str(MOST_CLASSES)) or int(name) >= MOST_CLASSES:
            raise DamagedFile(
                f"{folder / name}: class numbers go up to {MOST_CLASSES - 1:,}; rename the folders, or list them as"
                " classes, in the order of the model's classes"
            )
        if other := numbers.get(int(name)):
            raise DamagedFile(f"{folder}: the folders {other} and {name} are both class {int(name)}; merge them")
        numbers[int(name)] = name
    return tuple(numbers.get(number, "") for number in range(max(numbers) + 1))


def _of_arrays(path: Path, labelled: bool) -> OwnImages:
    """Return the arrays `images` and `labels` of a file.

    Images become (N, C, H, W), uint8 or float in [0, 1].
    """
    arrays = _arrays(path)
    if "images" not in arrays or (labelled and "labels" not in arrays):
        wanted = "images and labels" if labelled else "images"
        raise DamagedFile(f"{path}: expected the arrays {wanted}, found {', '.join(sorted(arrays)) or 'none'}")
    images = _channels_first(path, arrays["images"])
    labels = np.full(len(images), NO_CLASS, np.int64)
    if labelled:
        column = arrays["labels"]
        if column.shape != (len(images),) or column.dtype.kind not in "iu" or (len(column) and column.min() < 0):
            raise DamagedFile(
                f"{path}: labels must be one whole number from 0 on for each of {len(images)} images,"
                f" found {column.dtype} {column.shape}"
            )
        if len(column) and column.max() >= MOST_CLASSES:
            raise DamagedFile(f"{path}: labels go up to {int(column.max()):,}; at most {MOST_CLASSES - 1:,}")
        labels = column.astype(np.int64)
    classes = tuple(map(str, range(int(labels.max()) + 1))) if labelled and len(labels) else ()
    names = tuple(f"{path.name}[{row}]" for row in range(len(images)))
    return OwnImages(labels, classes, names, arrays=images)


def _arrays(path: Path) -> dict[str, Array]:
    data = read_bytes(path)
    try:
        if path.suffix.lower() == ".safetensors":
            return dict(load_tensors(data))
        if (size := _unpacked(data)) > MOST_BYTES:
            raise DamagedFile(f"{path}: unpacks to {size / 1e9:.2f} GB; at most {MOST_BYTES / 1e9:.2f} GB")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except DamagedFile:
        raise
    except NOT_ARRAYS as error:
        raise DamagedFile(f"{path}: not a whole file of plain arrays ({first_line(error)})") from error


def _unpacked(data: bytes) -> int:
    """Return the decompressed size of a zip in bytes, as its directory states it."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return sum(entry.file_size for entry in packed.infolist())


def _channels_first(path: Path, images: Array) -> Array:
    """Return images as (N, C, H, W).

    DamagedFile if shape or range are not those of images.
    """
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = np.moveaxis(images, -1, 1)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise DamagedFile(
            f"{path}: images have shape {images.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or 3"
        )
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        raise DamagedFile(f"{path}: images are {images.dtype}; expected uint8, or floats in [0, 1]")
    finite = images[np.isfinite(images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low < 0 or high > 1:
        raise DamagedFile(
            f"{path}: images lie in [{low:g}, {high:g}]; expected pixels in [0, 1] (or uint8), before any normalisation:"
            " mean and std are the model's"
        )
    return images


def named(broken: list[tuple[str, str]]) -> str:
    """Describe broken images: how many, and the first ones by name with the reason."""
    listed = "; ".join(f"{name} ({reason})" for name, reason in broken[:SHOWN])
    more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    return f"{len(broken)} broken image{'s' if len(broken) > 1 else ''}: {listed}{more}"
