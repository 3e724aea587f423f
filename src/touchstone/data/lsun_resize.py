"""Shrunken photographs of scenes, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.ingest.example_notes import no_classes, prepared
from touchstone.ingest.picture_files import evenly, pictures_under, read_squares
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ExampleSet


def lsun_resize(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 10,000 shrunken test pictures of LSUN that ODIN published (N, 3, size, size), labels -1.

    Resized to `size` where they are of another, which they are not at 32. `count` takes that many, evenly spaced over
    their names. example_ids are rows of the pictures by name. DamagedFile where one cannot be decoded.
    """
    paths = pictures_under(folder)
    if wrong := [path for path in paths if path.parent.name != "LSUN_resize"]:
        raise DamagedFile(f"{wrong[0]}: not a picture of LSUN as ODIN published it")
    rows = evenly(count, len(paths))
    return prepared(
        read_squares([paths[row] for row in rows], size, shrink=True),
        no_classes(len(rows)),
        rows,
        "lsun_resize",
        licence="none stated; offered for research",
        origin="LSUN, Yu et al. 2015, shrunk by Liang et al. 2018",
        interpolation="as published at 32",
    )
