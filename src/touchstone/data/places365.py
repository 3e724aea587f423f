"""Photographs of places, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.data._unlabelled_pictures import unlabelled_pictures
from touchstone.records.nouns import ExampleSet


def places365(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 36,500 validation images of Places365, labels -1.

    Images (N, 3, size, size): the shorter side is resized to `size` and the middle square kept, as usual. `count` takes
    that many, evenly spaced over their names; the literature uses 10,000. example_ids are rows of the pictures, ordered by
    name. DamagedFile if a picture cannot be decoded.
    """
    return unlabelled_pictures(
        folder,
        "places365",
        lambda path: path.name.startswith("Places365_val_"),
        publication="Places365",
        origin="Places365, Zhou et al. 2017, validation",
        interpolation="shorter side resized (bilinear, PIL, 8 bits), middle square",
        size=size,
        count=count,
    )
