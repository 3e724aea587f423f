"""Crops of photographs of scenes, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.data._unlabelled_pictures import unlabelled_pictures
from touchstone.records.nouns import ExampleSet


def lsun_crop(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 10,000 crops of LSUN's test pictures that ODIN published, labels -1.

    Images (N, 3, size, size). The middle square is cut out; nothing is resized. `count` takes
    that many, evenly spaced over their names. example_ids are rows of the pictures, ordered by name. DamagedFile if a
    picture cannot be decoded.
    """
    return unlabelled_pictures(
        folder,
        "lsun_crop",
        lambda path: path.parent.name == "LSUN",
        publication="LSUN as ODIN published it",
        origin="LSUN, Yu et al. 2015, cropped by Liang et al. 2018",
        interpolation="middle square, not resized",
        size=size,
        count=count,
        shrink=False,
    )
