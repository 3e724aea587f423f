"""Folders of colour pictures without classes: the out-of-distribution sets of the CIFAR studies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from touchstone.data.ingest.example_notes import no_classes, prepared
from touchstone.data.ingest.picture_files import evenly, pictures_under, read_squares
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import ExampleSet


def unlabelled_pictures(
    folder: Path,
    source: str,
    belongs: Callable[[Path], bool],
    *,
    publication: str,
    origin: str,
    interpolation: str,
    size: int,
    count: int | None,
    shrink: bool = True,
) -> ExampleSet:
    """Return the pictures under a folder as images (N, 3, size, size), labels -1.

    Args:
        folder: of the raw files.
        source: name of the set.
        belongs: whether a picture's path is one of this set.
        publication: name of the set in messages.
        origin: note on who published it.
        interpolation: note on how pictures become squares.
        size: side of the images.
        count: number of pictures, evenly spaced over their names; None: all.
        shrink: whether the shorter side is resized to `size` first; otherwise the middle square is cut out.

    Returns:
        The set. example_ids are rows of the pictures, ordered by name.

    Raises:
        DamagedFile: If a picture is not of this set, or cannot be decoded.
    """
    paths = pictures_under(folder)
    if foreign := [path for path in paths if not belongs(path)]:
        raise DamagedFile(f"{foreign[0]}: not a picture of {publication}")
    rows = evenly(count, len(paths))
    return prepared(
        read_squares([paths[row] for row in rows], size, shrink=shrink),
        no_classes(len(rows)),
        rows,
        source,
        licence="none stated; offered for research",
        origin=origin,
        interpolation=interpolation,
    )
