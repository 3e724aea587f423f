"""Describable textures, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

from touchstone.contracts import PositiveInt
from touchstone.ingest.example_notes import no_classes, prepared
from touchstone.ingest.picture_files import evenly, pictures_under, read_squares
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ExampleSet


def textures(folder: Path, *, size: PositiveInt = 32, count: PositiveInt | None = None) -> ExampleSet:
    """Return the 5,640 textures of DTD (N, 3, size, size), labels -1.

    The shorter side is resized to `size`, the middle square kept, as is usual. `count` takes that many, evenly spaced
    over their names. example_ids are rows of the pictures by name. DamagedFile where one cannot be decoded.
    """
    paths = pictures_under(folder)
    if wrong := [path for path in paths if not path.name.startswith(f"{path.parent.name}_")]:
        raise DamagedFile(f"{wrong[0]}: not a picture of DTD")
    rows = evenly(count, len(paths))
    return prepared(
        read_squares([paths[row] for row in rows], size, shrink=True),
        no_classes(len(rows)),
        rows,
        "textures",
        licence="none stated; offered for research",
        origin="DTD, Cimpoi et al. 2014",
        interpolation="shorter side resized (bilinear, PIL, 8 bits), middle square",
    )
