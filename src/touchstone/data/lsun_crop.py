"""Pieces of photographs of scenes, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.ingest.example_notes import no_classes, prepared
from touchstone.ingest.picture_files import evenly, pictures_under, read_squares
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ExampleSet


def lsun_crop(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 10,000 pieces of LSUN's test pictures that ODIN published (N, 3, size, size), labels -1.

    The middle square is cut out; nothing is resized. `count` takes that many, evenly spaced over their names.
    example_ids are rows of the pictures by name. DamagedFile where one cannot be decoded.
    """
    paths = pictures_under(folder)
    if wrong := [path for path in paths if path.parent.name != "LSUN"]:
        raise DamagedFile(f"{wrong[0]}: not a picture of LSUN as ODIN published it")
    rows = evenly(count, len(paths))
    return prepared(
        read_squares([paths[row] for row in rows], size, shrink=False),
        no_classes(len(rows)),
        rows,
        "lsun_crop",
        licence="none stated; offered for research",
        origin="LSUN, Yu et al. 2015, cropped by Liang et al. 2018",
        interpolation="middle square, not resized",
    )
