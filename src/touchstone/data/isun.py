"""Shrunken pictures of scenes, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.data._unlabelled_pictures import unlabelled_pictures
from touchstone.records.nouns import ExampleSet


def isun(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 8,925 shrunken pictures of iSUN that ODIN published, labels -1.

    Images (N, 3, size, size). They are resized only if `size` is not 32. `count` takes
    that many, evenly spaced over their names. example_ids are rows of the pictures, ordered by name. DamagedFile if a
    picture cannot be decoded.
    """
    return unlabelled_pictures(
        folder,
        "isun",
        lambda path: path.parent.name == "iSUN",
        publication="iSUN as ODIN published it",
        origin="iSUN, Xu et al. 2015, shrunk by Liang et al. 2018",
        interpolation="as published at 32",
        size=size,
        count=count,
    )
