"""German traffic signs in five disjoint parts."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.picture_files import pictures_under, read_squares
from touchstone.data.ingest.pixels import BILINEAR
from touchstone.data.ingest.raw_files import read_bytes
from touchstone.data.ingest.splits import rows_of_part
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array, ExampleSet

SHARES = {"train": 80, "validation": 6, "calibration": 6, "detector_train": 8}  # percent of the tracks
TRAINING_ROWS, CLASSES = 26_640, 43


def gtsrb(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    size: PositiveInt = 32,
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of GTSRB: images (N, 3, size, size), labels 0 to 42.

    80, 6, 6 and 8 % of the training tracks, stratified by class and disjoint for one `split_seed`. A track is 30
    frames of one physical sign, so no sign is in two parts. The part `test` is the official 12,630. example_ids are
    rows of the training pictures by name; test rows count on from 26,640. The shorter side is resized, the middle
    square kept.

    Args:
        folder: of the raw files.
        part: of the set.
        size: side of the images.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.

    Raises:
        DamagedFile: If a file is not whole; the message names it.
    """
    paths, labels = _test(folder) if part == "test" else _training(folder)
    rows = _rows(paths, labels, part, split_seed, limit)
    return prepared(
        read_squares([paths[row] for row in rows], size, shrink=True),
        labels[rows],
        rows + (TRAINING_ROWS if part == "test" else 0),
        "gtsrb",
        licence="none stated; offered for research",
        origin="GTSRB, Stallkamp et al. 2012",
        interpolation=f"to {size}x{size}, {BILINEAR.replace('mode F, before rounding to 1/255', '8 bits')}",
    )


def _rows(paths: list[Path], labels: Array, part: str, seed: int, limit: int | None) -> Array:
    """Return the rows of a part, ascending: whole tracks, or `limit` of their images."""
    if part == "test":
        return rows_of_part(labels, {"test": 1}, part, seed=seed, limit=limit)
    names = [f"{path.parent.name}/{path.stem.split('_')[0]}" for path in paths]
    _, first, track_of = np.unique(names, return_index=True, return_inverse=True)
    chosen = np.isin(track_of, rows_of_part(labels[first], SHARES, part, seed=seed))
    rows = np.flatnonzero(chosen)
    if limit is None:
        return rows
    return rows[rows_of_part(labels[rows], {part: 1}, part, seed=seed, limit=limit)]


def _training(folder: Path) -> tuple[list[Path], Array]:
    """Return the training pictures by name, and their classes: the names of their folders."""
    paths = pictures_under(folder / "Training")
    names = {path.parent.name for path in paths}
    if wrong := sorted(name for name in names if not (name.isascii() and name.isdecimal() and int(name) < CLASSES)):
        raise DamagedFile(f"{folder / 'Training'}: contains {wrong[0]}, expected folders 00000 to {CLASSES - 1:05d}")
    return paths, np.array([int(path.parent.name) for path in paths])


def _test(folder: Path) -> tuple[list[Path], Array]:
    """Return the test pictures in the order of their table, and their classes."""
    table = folder / "GT-final_test.csv"
    try:
        rows = list(csv.DictReader(read_bytes(table).decode("ascii").splitlines(), delimiter=";"))
        labels = np.array([int(row["ClassId"]) for row in rows], dtype=np.int64)
        paths = [folder / "Final_Test" / "Images" / Path(row["Filename"]).name for row in rows]
    except (UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise DamagedFile(f"{table}: not a table with Filename;...;ClassId ({error!r})") from error
    if not paths or labels.min() < 0 or labels.max() >= CLASSES:
        raise DamagedFile(f"{table}: expected rows with classes from 0 to {CLASSES - 1}")
    return paths, labels
