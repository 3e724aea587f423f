"""A user's pictures: which files are pictures, and how each becomes an image of 8 bits. What is changed is named."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps

from touchstone.data.ingest import picture_files
from touchstone.data.ingest.raw_files import read_bytes
from touchstone.records.nouns import Array

BY_CONTENT = (*picture_files.FORMATS, "AVIF", "GIF", "ICO", "JPEG2000", "QOI")  # their first bytes say what they are
FORMATS = (*BY_CONTENT, "DIB", "PCX", "TGA")  # not PostScript, which PIL passes to another program
UNDECODABLE = picture_files.UNDECODABLE
MOST_PIXELS = 4096  # of a side that pictures are resized to
PNG_DEPTH = 24  # the byte of a PNG that says how many bits a colour has
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright
TURNED = "turned upright, as their EXIF orientation says"
OPAQUE = "read without their transparency"
FIRST_FRAME = "read as their first frame only"
Colour = Literal["as_stored", "gray", "rgb"]


@dataclass(frozen=True)
class Shaping:
    """How pictures become images of one shape: resized to (height, width) or not, with which channels.

    Raises:
        ValueError: If a side is too long.
    """

    size: tuple[int, int] | None = None
    colour: Colour = "as_stored"

    def __post_init__(self) -> None:
        if self.size is not None and max(self.size) > MOST_PIXELS:
            raise ValueError(f"pictures are resized to at most {MOST_PIXELS:,} pixels a side, not {max(self.size):,}")


@cache
def suffixes() -> frozenset[str]:
    """Return the suffixes of the pictures that PIL can open here, in lower case."""
    return frozenset(suffix for suffix, kind in Image.registered_extensions().items() if kind in FORMATS)


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, by its suffix or, with any other suffix or none, by its first bytes."""
    if path.suffix.lower() in suffixes():
        return True
    try:
        with _opened(path):
            return True
    except UNDECODABLE:
        return False


def by_suffix(files: Iterable[Path]) -> str:
    """Return how many files have which suffix: "9 .heic, 1 without suffix"."""
    counts = Counter(path.suffix.lower() or "without suffix" for path in files)
    return ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))


def read_picture(path: Path, shaping: Shaping) -> tuple[Array, list[str]]:
    """Return one picture as (C, H, W) uint8, and what was changed beyond the shaping.

    Raises:
        UNDECODABLE: If it is not whole, too large, has more than 8 bits, or is in none of FORMATS.
    """
    data = read_bytes(path)
    changes = []
    with warnings.catch_warnings():  # PIL's warnings about odd TIFF files name no file
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        picture: Image.Image = Image.open(BytesIO(data), formats=FORMATS)
        if picture.format == "PNG" and data[PNG_DEPTH] > 8:  # PIL would cut them to 8 bits
            raise ValueError(f"its pixels are not of 8 bits ({data[PNG_DEPTH]} for each colour); convert it first")
        turned = _orientation(picture) > 1  # before it is decoded, because PIL turns a TIFF then
        if picture.format != "MPO" and getattr(picture, "is_animated", False):  # the others of an MPO are previews
            changes.append(FIRST_FRAME)
        picture.load()
        if turned:
            changes.append(TURNED)
            picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data and picture.convert("RGBA").getchannel("A").getextrema() != (255, 255):
        changes.append(OPAQUE)
    if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        changes.append(f"converted from {picture.mode} to RGB")
    return shaped(picture, shaping), changes


def shaped(picture: Image.Image, shaping: Shaping) -> Array:
    """Return a picture as (C, H, W) uint8, converted and resized.

    Raises:
        ValueError: If it has more than 8 bits.
    """
    if picture.mode.startswith(("I", "F")):
        raise ValueError(f"its pixels are not of 8 bits (mode {picture.mode}); convert it first")
    mode = {"gray": "L", "rgb": "RGB"}.get(shaping.colour) or ("L" if picture.mode in ("1", "L") else "RGB")
    picture = picture.convert(mode)
    if shaping.size is not None and picture.size != shaping.size[::-1]:
        picture = picture.resize(shaping.size[::-1], Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def _opened(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(path, formats=BY_CONTENT)


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; 1 if there is none, or if the EXIF cannot be read."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except (*UNDECODABLE, KeyError, IndexError, AttributeError, OverflowError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
