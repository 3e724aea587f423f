"""The raw files of a source: digests, package data, and readers that refuse damaged files.

The readers notice damage that breaks the format. Only `check_folder` notices a change that leaves the format whole.
"""

from __future__ import annotations

import importlib.util
import math
import struct
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from touchstone.digests import SNAKEMAKE_MARK, folder_digest
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array

IDX_BYTES = 0x08  # the idx format's code for unsigned bytes, the only type that MNIST-like sets use


def check_folder(folder: Path, expected: str, source: str) -> None:
    """Check that `folder_digest(folder)` is `expected`.

    Otherwise DamagedFile with both digests.
    """
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != SNAKEMAKE_MARK)
    names = sorted(path.relative_to(folder).as_posix() for path in files)
    if not names:
        raise DamagedFile(f"{folder}: no raw files of {source} (expected {expected})")
    actual = folder_digest(folder)
    if actual != expected:
        raise DamagedFile(
            f"{folder}: not the raw files of {source}: expected {expected}, found {actual} ({', '.join(names)})"
        )


def package_file(package: str, name: str) -> Path:
    """Return the path of a data file in an installed package, without importing it.

    FileNotFoundError if it is missing.
    """
    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is not among the files of the installed package {package} (looked in {folders})")


def read_bytes(path: Path) -> bytes:
    """Return a raw file's bytes; DamagedFile if it is missing or empty."""
    if not path.is_file():
        raise DamagedFile(f"{path}: no such raw file")
    data = path.read_bytes()
    if not data:
        raise DamagedFile(f"{path}: the file is empty")
    return data


def read_gray(path: Path) -> Array:
    """Return a picture as gray values, (H, W) uint8 (ITU-R 601 luma).

    DamagedFile if it cannot be decoded.
    """
    data = read_bytes(path)
    try:
        return np.asarray(Image.open(BytesIO(data)).convert("L"))
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DamagedFile(f"{path}: not a whole image ({error})") from error


def read_array(path: Path, shape: tuple[int, ...], dtype: str) -> Array:
    """Return the array in a .npy file of a given shape and dtype.

    The header is compared with the one that numpy would write, so no forged or pickled header is ever evaluated.

    Raises:
        DamagedFile: If shape or dtype differ, or if the array contains NaN or infinity.
    """
    data, header = read_bytes(path), BytesIO()
    layout = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, layout)
    start, size = len(header.getvalue()), math.prod(shape) * np.dtype(dtype).itemsize
    if data[:start] != header.getvalue():
        raise DamagedFile(f"{path}: not a .npy file of {dtype} with shape {shape}")
    if len(data) != start + size:
        raise DamagedFile(f"{path}: {len(data):,} bytes, expected {start + size:,}")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    if not np.isfinite(array).all():
        raise DamagedFile(f"{path}: contains NaN or infinity")
    return array


def read_idx(path: Path, dimensions: int) -> Array:
    """Return the array in an uncompressed idx file of unsigned bytes (LeCun's MNIST format), uint8.

    DamagedFile if the magic number, the number of dimensions or the size of the file is wrong.
    """
    data, start = read_bytes(path), 4 + 4 * dimensions
    magic = bytes([0, 0, IDX_BYTES, dimensions])
    if data[:4] != magic:
        raise DamagedFile(
            f"{path}: starts with {data[:4].hex()}, expected {magic.hex()} (idx, {dimensions} dimensions)"
        )
    if len(data) < start:
        raise DamagedFile(f"{path}: {len(data)} bytes, not even a whole idx header")
    shape = struct.unpack(f">{dimensions}I", data[4:start])
    if len(data) != start + math.prod(shape):
        raise DamagedFile(f"{path}: {len(data):,} bytes, its header says {start + math.prod(shape):,} (shape {shape})")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
