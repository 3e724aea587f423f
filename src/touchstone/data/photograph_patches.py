"""Patches of photographs, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveFloat, PositiveInt
from touchstone.ingest.example_notes import no_classes, prepared
from touchstone.ingest.pixels import BILINEAR, tiles
from touchstone.ingest.raw_files import read_gray
from touchstone.records.nouns import ExampleSet


def photograph_patches(
    folder: Path,
    *,
    size: PositiveInt = 28,
    scale: PositiveFloat = 0.5,
    stride: PositiveInt | None = None,
    count: PositiveInt | None = None,
) -> ExampleSet:
    """Return gray patches (N, 1, size, size) of scikit-learn's two photographs, labels -1.

    The photographs are first shrunk by `scale` (at most 1), so that a patch shows structure and not one flat tone.
    `stride` None sets patches side by side: 154 of 28x28 at scale 0.5; overlapping ones are not independent, and
    intervals that count them as examples are too narrow. `count` takes that many, evenly spaced. DamagedFile where a
    photograph cannot be decoded.
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
