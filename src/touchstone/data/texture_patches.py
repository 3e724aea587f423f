"""Patches of textures, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from touchstone.contracts import PositiveFloat, PositiveInt
from touchstone.data.ingest.example_notes import no_classes, prepared
from touchstone.data.ingest.pixels import BILINEAR, tiles
from touchstone.data.ingest.raw_files import read_gray
from touchstone.records.nouns import ExampleSet


def texture_patches(
    folder: Path,
    *,
    size: PositiveInt = 28,
    scale: PositiveFloat = 0.5,
    stride: PositiveInt | None = None,
    count: PositiveInt | None = None,
    part: Literal["all", "upper", "lower"] = "all",
) -> ExampleSet:
    """Return gray patches of a brick wall, grass and gravel, labels -1.

    Images (N, 1, size, size). The 512x512 textures are first shrunk by `scale` (at most 1), so that a patch shows the
    pattern.

    Args:
        folder: of the raw files.
        size: side of a patch.
        scale: of the textures.
        stride: between patches. None: patches do not overlap, 243 of 28x28 at scale 0.5. Overlapping patches are not
            independent examples.
        count: number of patches, evenly spaced, before `part` is taken; None: all.
        part: patches of the upper or the lower half of each texture, so that a detector trained on one half can be
            tested on the other. Ids are those among all patches.

    Raises:
        DamagedFile: If a texture cannot be decoded.
        ValueError: If a half is asked of patches that overlap, because the halves would share pixels.
    """
    if part != "all" and stride is not None and stride < size:
        raise ValueError(
            f"texture_patches: part {part} needs patches that do not overlap, but stride {stride} is less than size {size}:"
            " the halves would share pixels"
        )
    textures = [read_gray(folder / name) / 255 for name in ("brick.png", "grass.png", "gravel.png")]
    images, numbers = tiles(textures, size=size, stride=stride, scale=scale, count=count)
    if part != "all":
        each = len(tiles(textures[:1], size=size, stride=stride, scale=scale, count=None)[1])
        rows = (numbers % each < each // 2) == (part == "upper")
        images, numbers = images[rows], numbers[rows]
    return prepared(
        images,
        no_classes(len(images)),
        numbers,
        "skimage_textures",
        licence="CC0 1.0",
        origin="brick.png, grass.png and gravel.png, as bundled with scikit-image",
        interpolation=f"textures scaled by {scale:g}, {BILINEAR}",
    )
