"""A user's array file, .npz or .safetensors, with the arrays `images` and `labels`; what is no such array is refused."""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import psutil
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from touchstone.data.ingest.raw_files import read_bytes
from touchstone.messages import first_line
from touchstone.records import size_limits
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array

ARRAYS = frozenset({".npz", ".safetensors"})
NOT_ARRAYS = (
    *(SafetensorError, ValueError, KeyError, OSError, EOFError, MemoryError, NotImplementedError, RuntimeError),
    *(OverflowError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error),
)
MOST_BYTES = 16 << 30  # of all images together, decompressed, as 8-bit levels
MOST_EXPANSION, SMALL = 500, 2**26  # times a file's size, and the bytes that any file may unpack to
MOST_CLASSES = 100_000
ROUNDING = 8  # units in the last place by which a pixel may leave [0, 1]: arithmetic rounds
SAVE = "numpy.savez(FILE, images=images, labels=labels)"


def read_arrays(path: Path, *, labelled: bool) -> tuple[Array, Array | None]:
    """Return the images of a file, (N, C, H, W), uint8 or float in [0, 1], and its labels, (N,) int64.

    Args:
        path: of the file.
        labelled: False: labels are not read, and None.

    Raises:
        DamagedFile: If the file is not whole, or its arrays are no images or labels; the message says what to do.
    """
    arrays = _arrays(path)
    wanted = ["images", "labels"] if labelled else ["images"]
    if not arrays.keys() >= set(wanted):
        raise DamagedFile(
            f"{path}: expected the arrays {' and '.join(wanted)}, found {', '.join(sorted(arrays)) or 'none'}; {SAVE}"
        )
    images = _in_range(path, _channels_first(path, arrays["images"]))
    return images, _labels(path, arrays["labels"], len(images)) if labelled else None


def _arrays(path: Path) -> dict[str, Array]:
    data = read_bytes(path)
    try:
        if path.suffix.lower() == ".safetensors":
            if problem := size_limits.problem_of_header(data):
                raise DamagedFile(f"{path}: {problem}")
            return dict(load_tensors(data))
        most = min(MOST_BYTES, max(SMALL, MOST_EXPANSION * len(data)), psutil.virtual_memory().available)
        if (size := _unpacked(data)) > most:
            raise DamagedFile(f"{path}: unpacks to {size / 1e9:.2f} GB; at most {most / 1e9:.2f} GB are read here")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            members = {name: archive[name] for name in archive.files}
    except DamagedFile:
        raise
    except NOT_ARRAYS as error:
        raise DamagedFile(f"{path}: not a whole file of plain arrays ({first_line(error)})") from error
    # numpy reads a member that is no .npy as bytes.
    return {name: array for name, array in members.items() if isinstance(array, np.ndarray)}


def _unpacked(data: bytes) -> int:
    """Return the decompressed size of a zip in bytes, as its directory states it."""
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        return sum(entry.file_size for entry in packed.infolist())


def _channels_first(path: Path, images: Array) -> Array:
    """Return images as (N, C, H, W); DamagedFile if they have another shape."""
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[1] not in (1, 3) and images.shape[3] in (1, 3):
        images = np.moveaxis(images, -1, 1)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or not images.size:
        raise DamagedFile(
            f"{path}: images have shape {images.shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W), C 1 or"
            f" 3{_shape_advice(images.shape)}"
        )
    return images


def _shape_advice(shape: tuple[int, ...]) -> str:
    """Return what makes an array of this shape one of images; "" if nothing is likely."""
    if len(shape) == 2:
        for channels in (1, 3):
            side = math.isqrt(shape[1] // channels)
            if side > 1 and channels * side**2 == shape[1]:
                return f"; are they rows of pixels? images.reshape(-1, {channels}, {side}, {side})"
    if len(shape) != 4 or 0 in shape:
        return ""
    if shape[3] in (2, 4):
        return f"; the last channel is transparency? images = images[..., :{shape[3] - 1}]"
    if shape[1] in (2, 4):
        return f"; the last channel is transparency? images = images[:, :{shape[1] - 1}]"
    if shape[2] in (1, 3):
        return "; are they the last dimension, as in SVHN's files? images = numpy.moveaxis(images, -1, 0)"
    if shape[0] in (1, 3):
        return "; are the channels first of all? images = numpy.moveaxis(images, 0, 1)"
    return ""


def _in_range(path: Path, images: Array) -> Array:
    """Return images as uint8 or floats in [0, 1]; DamagedFile if they lie elsewhere by more than rounding."""
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind != "f":
        whole = images.dtype.kind in "iu" and images.min() >= 0 and images.max() <= 255
        advice = "; images = images.astype('uint8')" if whole else ""
        raise DamagedFile(f"{path}: images are {images.dtype}; expected uint8, or floats in [0, 1]{advice}")
    finite = images[np.isfinite(images)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    rounding = ROUNDING * max(float(np.finfo(kind).eps) for kind in (images.dtype, np.float32))
    if low < -rounding or high > 1 + rounding:
        raise DamagedFile(
            f"{path}: images lie in [{low:.9g}, {high:.9g}]; expected pixels in [0, 1] (or uint8), before any"
            f" normalisation: mean and std are the model's{_range_advice(low, high)}"
        )
    return np.clip(images, 0, 1) if low < 0 or high > 1 else images


def _range_advice(low: float, high: float) -> str:
    if low >= 0 and 2 < high <= 255:
        return ". Are they levels? images = images / 255"
    if -1.001 <= low < -0.5 and high <= 1.001:
        return ". Do they go from -1 to 1? images = (images + 1) / 2"
    return ""


def _labels(path: Path, labels: Array, count: int) -> Array:
    """Return labels as (N,) int64; DamagedFile if they are no class numbers."""
    if labels.shape != (count,) or labels.dtype.kind not in "iu" or (count and labels.min() < 0):
        raise DamagedFile(
            f"{path}: labels must be one whole number from 0 on for each of {count} images,"
            f" found {labels.dtype} {labels.shape}{_label_advice(labels, count)}"
        )
    if count and labels.max() >= MOST_CLASSES:
        raise DamagedFile(f"{path}: labels go up to {int(labels.max()):,}; at most {MOST_CLASSES - 1:,}")
    return labels.astype(np.int64)


def _label_advice(labels: Array, count: int) -> str:
    """Return what makes class numbers of an array; "" if nothing is likely."""
    if labels.shape == (count, 1):
        return "; labels = labels[:, 0]"
    if labels.ndim == 2 and len(labels) == count and labels.shape[1] > 1:
        return "; is it one column per class? labels = labels.argmax(1)"
    if labels.shape != (count,) or not count:
        return ""
    if labels.dtype.kind in "US":
        return "; are they names? labels = numpy.unique(labels, return_inverse=True)[1]"
    if labels.dtype.kind == "b" or (labels.dtype.kind == "f" and bool(np.all(labels == np.rint(labels)))):
        return "; labels = labels.astype(int)"
    if labels.dtype.kind in "iu":
        return f" from {int(labels.min())} on; is {int(labels.min())} a class, or does it mean unknown?"
    return ""
