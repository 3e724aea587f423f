"""SVHN, the cropped house numbers: an out-of-distribution set for CIFAR, or a set of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.picture_files import read_svhn
from touchstone.data.ingest.splits import rows_of_part
from touchstone.records.nouns import ExampleSet

SHARES = {"train": 66, "validation": 2, "calibration": 2, "detector_train": 3}  # about thousands of the 73,257
TRAINING_ROWS = 73_257


def svhn(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of SVHN: images (N, 3, 32, 32), labels 0 to 9.

    66, 2, 2 and 3 of 73 shares of the training images, stratified by class and disjoint for one `split_seed`. The
    part `test` is the official 26,032. example_ids are rows of the training file; test rows count on from 73,257.

    Args:
        folder: of the raw files.
        part: of the set.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.

    Raises:
        DamagedFile: If a .mat file is not whole; the message names it.
    """
    labels, images = read_svhn(folder / ("test_32x32.mat" if part == "test" else "train_32x32.mat"))
    rows = rows_of_part(labels, {"test": 1} if part == "test" else SHARES, part, seed=split_seed, limit=limit)
    return prepared(
        images[rows],
        labels[rows],
        rows + (TRAINING_ROWS if part == "test" else 0),
        "svhn",
        licence="non-commercial use only",
        origin="SVHN, Netzer et al. 2011, cropped digits",
    )
