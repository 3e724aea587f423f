"""Readers of colour images: CIFAR's binary files, SVHN's .mat files, folders of pictures. They run no code."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from touchstone.data.ingest.raw_files import read_bytes
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array

SIDE = 32
SMALL, MOST_EXPANSION, BLOCK = 2**26, 100, 2**20  # bytes that any file may unpack to, times its size, bytes at a time
COMPRESSED = 15  # the code of a compressed array in a .mat file
FORMATS = ("PNG", "JPEG", "BMP", "PPM", "TIFF", "WEBP")  # not PostScript, which PIL passes to another program
TOO_LARGE = (Image.DecompressionBombError, Image.DecompressionBombWarning)  # above 89 million pixels
UNDECODABLE = (OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error, zlib.error, *TOO_LARGE)
NOT_MAT = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    NotImplementedError,
    struct.error,
    zlib.error,
)
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".ppm"})


def read_cifar(path: Path, label_bytes: int) -> tuple[Array, Array]:
    """Return labels (N, label_bytes) and images (N, 3, 32, 32) of a CIFAR file, uint8.

    DamagedFile if it is not whole.
    """
    data, size = read_bytes(path), label_bytes + 3 * SIDE * SIDE
    if len(data) % size:
        raise DamagedFile(f"{path}: {len(data):,} bytes, not a multiple of {size:,} (a label and 3 x 32 x 32 pixels)")
    rows = np.frombuffer(data, np.uint8).reshape(-1, size)
    return rows[:, :label_bytes], rows[:, label_bytes:].reshape(-1, 3, SIDE, SIDE)


def read_svhn(path: Path) -> tuple[Array, Array]:
    """Return labels (N,) and images (N, 3, 32, 32) of an SVHN .mat file, uint8.

    The label 10 in the file is the digit 0. DamagedFile if it is not a whole .mat file (version 5) with X (32, 32, 3,
    N) and y (N, 1).
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    untyped: Callable[..., dict[str, Array]] = loadmat
    data = read_bytes(path)
    try:
        if (size := _unpacked(data, most := max(SMALL, MOST_EXPANSION * len(data)))) > most:
            raise ValueError(f"unpacks to more than {size:,} bytes; refused as a bomb")
        arrays = untyped(BytesIO(data), variable_names=["X", "y"])
        pixels, labels = arrays["X"], arrays["y"]
    except (*NOT_MAT, MatReadError) as error:
        raise DamagedFile(f"{path}: not a whole .mat file of SVHN ({error})") from error
    shape = (SIDE, SIDE, 3, labels.size)
    if pixels.dtype != np.uint8 or pixels.shape != shape or labels.shape != (labels.size, 1) or labels.size == 0:
        raise DamagedFile(
            f"{path}: X is {pixels.dtype} {pixels.shape}, y {labels.shape}; expected uint8 (32, 32, 3, N), (N, 1)"
        )
    if not np.isin(labels, np.arange(1, 11)).all():
        raise DamagedFile(f"{path}: labels must lie in 1..10")
    return (labels[:, 0] % 10).astype(np.uint8), np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))


def _unpacked(data: bytes, most: int) -> int:
    """Return how many bytes the arrays of a .mat file (version 5) unpack to; a number above `most` if they are more."""
    order, total, place = ">" if data[126:128] == b"MI" else "<", 0, 128
    while place + 8 <= len(data) and total <= most:
        kind, size = struct.unpack(f"{order}II", data[place : place + 8])
        stream, rest = zlib.decompressobj(), data[place + 8 : place + 8 + size] if kind == COMPRESSED else b""
        while rest and total <= most:
            total += len(stream.decompress(rest, BLOCK))
            rest = stream.unconsumed_tail
        place += 8 + size
    return total


def pictures_under(folder: Path) -> list[Path]:
    """Return the picture files in a folder and its subfolders, by name.

    DamagedFile if there are none.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    if not paths:
        raise DamagedFile(f"{folder}: no pictures ({', '.join(sorted(PICTURES))})")
    return paths


def decoded(data: bytes) -> Image.Image:
    """Return a picture with all of its pixels decoded.

    Raises:
        UNDECODABLE: If it has none of FORMATS, is not whole, or is too large.
    """
    with warnings.catch_warnings():  # PIL's warnings about odd TIFF files name no file
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture = Image.open(BytesIO(data), formats=FORMATS)
        picture.load()
    return picture


def read_square(path: Path, size: int, *, shrink: bool) -> Array:
    """Return the middle square of a picture as (3, size, size) uint8.

    Args:
        path: of the picture.
        size: side of the square.
        shrink: whether to resize the picture first (bilinear), so that its shorter side is `size`.

    Raises:
        DamagedFile: If it cannot be decoded, or is smaller than `size` and not resized.
    """
    data = read_bytes(path)
    try:
        picture = decoded(data).convert("RGB")
    except UNDECODABLE as error:
        raise DamagedFile(f"{path}: not a whole image ({error})") from error
    if shrink:
        factor = size / min(picture.size)
        width, height = (max(size, round(length * factor)) for length in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    elif min(picture.size) < size:
        raise DamagedFile(f"{path}: {picture.size[0]}x{picture.size[1]} pixels, expected at least {size}x{size}")
    left, top = ((length - size) // 2 for length in picture.size)
    return np.moveaxis(np.asarray(picture.crop((left, top, left + size, top + size))), -1, 0)


def read_squares(paths: list[Path], size: int, *, shrink: bool) -> Array:
    """Return the middle squares of many pictures as 8-bit levels, (N, 3, size, size) uint8."""
    return np.stack([read_square(path, size, shrink=shrink) for path in paths])


def evenly(count: int | None, of: int) -> Array:
    """Return `count` of `of` rows, evenly spaced (None: all), (count,) int64.

    ValueError if there are fewer.
    """
    if count is not None and count > of:
        raise ValueError(f"count must be at most {of}, got {count}")
    return np.arange(count or of, dtype=np.int64) * of // (count or of)
