"""scikit-learn's handwritten digits in five disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.pixels import BILINEAR, resized
from touchstone.data.ingest.raw_files import read_bytes
from touchstone.data.ingest.splits import rows_of_part
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array, ExampleSet

SHARES = {"train": 45, "validation": 10, "calibration": 10, "detector_train": 15, "test": 20}  # percent
ROWS, PIXELS, BRIGHTEST, CLASSES = 1797, 64, 16, 10


def digits(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    size: PositiveInt = 28,
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of the digits: images (N, 1, size, size), labels 0 to 9.

    White ink on black. The 8x8 values 0 to 16 are divided by 16, resized bilinearly and rounded to 1/255. The parts
    hold 45, 10, 10, 15 and 20 % of 1,797 rows (809, 179, 180, 270, 359), stratified by class and disjoint for one
    `split_seed`. example_ids are rows of digits.csv. The file does not say who wrote a digit, so the same writer's
    digits can be in several parts.

    Args:
        folder: of the raw files.
        part: of the set.
        size: side of the images.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.

    Raises:
        DamagedFile: If digits.csv is not whole.
    """
    images, labels = _read(folder / "digits.csv")
    rows = rows_of_part(labels, SHARES, part, seed=split_seed, limit=limit)
    return prepared(
        resized(images[rows] / BRIGHTEST, size, size)[:, None],
        labels[rows],
        rows,
        "sklearn_digits",
        licence="CC BY 4.0",
        origin="UCI Optical Recognition of Handwritten Digits, test set, as bundled with scikit-learn",
        interpolation=f"8x8 to {size}x{size}, {BILINEAR}",
    )


def _read(path: Path) -> tuple[Array, Array]:
    """Return images (1797, 8, 8) with values 0 to 16 and labels (1797,)."""
    data = read_bytes(path)
    try:
        rows = [[int(value) for value in line.split(",")] for line in data.decode("ascii").splitlines()]
        table = np.array(rows, dtype=np.int64)
    except (ValueError, OverflowError) as error:  # a ragged table is a ValueError too
        raise DamagedFile(f"{path}: not a table of whole numbers ({error})") from error
    if table.shape != (ROWS, PIXELS + 1):
        raise DamagedFile(f"{path}: a table of shape {table.shape}, expected {(ROWS, PIXELS + 1)}")
    pixels, labels = table[:, :PIXELS], table[:, PIXELS]
    if pixels.min() < 0 or pixels.max() > BRIGHTEST or labels.min() < 0 or labels.max() >= CLASSES:
        raise DamagedFile(f"{path}: pixels must lie in 0..{BRIGHTEST} and labels in 0..{CLASSES - 1}")
    return pixels.reshape(-1, 8, 8), labels
