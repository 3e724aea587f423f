"""Describable textures, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.data._unlabelled_pictures import unlabelled_pictures
from touchstone.records.nouns import ExampleSet


def textures(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 5,640 textures of DTD, labels -1.

    Images (N, 3, size, size): the shorter side is resized to `size` and the middle square kept, as usual. `count` takes
    that many, evenly spaced over their names. example_ids are rows of the pictures, ordered by name. DamagedFile if a
    picture cannot be decoded.
    """
    return unlabelled_pictures(
        folder,
        "textures",
        lambda path: path.name.startswith(f"{path.parent.name}_"),
        publication="DTD",
        origin="DTD, Cimpoi et al. 2014",
        interpolation="shorter side resized (bilinear, PIL, 8 bits), middle square",
        size=size,
        count=count,
    )
