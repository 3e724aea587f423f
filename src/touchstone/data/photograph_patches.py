"""Patches of photographs, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveFloat, PositiveInt
from touchstone.data.ingest.example_notes import no_classes, prepared
from touchstone.data.ingest.pixels import BILINEAR, tiles
from touchstone.data.ingest.raw_files import read_gray
from touchstone.records.nouns import ExampleSet


def photograph_patches(
    folder: Path,
    *,
    size: PositiveInt = 28,
    scale: PositiveFloat = 0.5,
    stride: PositiveInt | None = None,
    count: PositiveInt | None = None,
) -> ExampleSet:
    """Return gray patches of scikit-learn's two photographs, labels -1.

    Images (N, 1, size, size). The photographs are first shrunk by `scale` (at most 1), so that a patch shows
    structure and not one flat tone.

    Args:
        folder: of the raw files.
        size: side of a patch.
        scale: of the photographs.
        stride: between patches. None: patches do not overlap, 154 of 28x28 at scale 0.5. Overlapping patches are not
            independent, so intervals that count them as examples are too narrow.
        count: number of patches, evenly spaced; None: all.

    Raises:
        DamagedFile: If a photograph cannot be decoded.
    """
    photographs = [read_gray(folder / name) / 255 for name in ("china.jpg", "flower.jpg")]
    images, numbers = tiles(photographs, size=size, stride=stride, scale=scale, count=count)
    return prepared(
        images,
        no_classes(len(images)),
        numbers,
        "sklearn_photographs",
        licence="CC BY 2.0, danielbuechele and vultilion on flickr.com",
        origin="china.jpg and flower.jpg, as bundled with scikit-learn",
        interpolation=f"photographs scaled by {scale:g}, {BILINEAR}",
    )
