"""A user's pictures: which files are pictures, and how each becomes an image of 8 bits. What is changed is named."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFile, ImageOps
from PIL.TiffImagePlugin import TiffImageFile

from touchstone.data.ingest import picture_files
from touchstone.data.ingest.raw_files import read_bytes
from touchstone.records.nouns import Array

BY_CONTENT = (*picture_files.FORMATS, "AVIF", "GIF", "ICO", "JPEG2000", "QOI")  # their first bytes say what they are
FORMATS = (*BY_CONTENT, "DIB", "PCX", "TGA")  # not PostScript, which PIL passes to another program
UNDECODABLE = picture_files.UNDECODABLE
MOST_PIXELS = 4096  # of a side that pictures are resized to
# What says how many bits a colour has: a byte of a PNG, a tag of a TIFF, the sizes of a JPEG 2000, two bits of an AVIF.
PNG_DEPTH, TIFF_DEPTH = 24, 258
PNG_IN_ICON = re.compile(rb"\x89PNG\r\n\x1a\n.{16}(.)", re.DOTALL)
JPEG2000_DEPTH = re.compile(rb"\xff\x4f\xff\x51.{36}(..)", re.DOTALL)
AVIF_DEPTH = re.compile(rb"av1C\x81.(.)", re.DOTALL)
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
        opened = Image.open(BytesIO(data), formats=FORMATS)
        if (bits := bits_of(opened, data)) > 8:  # PIL would cut most of them to 8 bits
            raise ValueError(f"its pixels are not of 8 bits ({bits} for each colour); convert it first")
        picture: Image.Image = opened
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


def bits_of(picture: ImageFile.ImageFile, data: bytes) -> int:
    """Return how many bits a colour has in the bytes of a picture; 8 if they do not say it."""
    if picture.format == "PNG":
        return data[PNG_DEPTH]
    if picture.format == "ICO":  # its largest picture is read, which may be a PNG
        return max((found[1][0] for found in PNG_IN_ICON.finditer(data)), default=8)
    if isinstance(picture, TiffImageFile):
        return int(max(picture.tag_v2.get(TIFF_DEPTH, (1,))))
    if picture.format == "PPM":
        (tile,) = picture.tile
        # The decoder's settings are the mode, and the highest level unless it is usual for the mode.
        return tile.args[1].bit_length() if isinstance(tile.args, tuple) and isinstance(tile.args[1], int) else 8
    if picture.format == "JPEG2000" and (found := JPEG2000_DEPTH.search(data)):
        sizes = data[found.end() : found.end() + 3 * int.from_bytes(found[1])]
        return max((1 + (size & 127) for size in sizes[::3]), default=8)  # the first bit says whether there is a sign
    if picture.format == "AVIF" and (found := AVIF_DEPTH.search(data)):
        return 8 + 2 * (found[1][0] >> 6 & 1) + 2 * (found[1][0] >> 5 & 1)
    return 8


def _orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation; 1 if there is none, or if the EXIF cannot be read."""
    try:
        value = picture.getexif().get(ORIENTATION, 1)
    except (*UNDECODABLE, KeyError, IndexError, AttributeError, OverflowError):
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
