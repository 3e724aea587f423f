"""CIFAR-10 and CIFAR-100 in five disjoint parts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.picture_files import read_cifar
from touchstone.data.ingest.splits import rows_of_part
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import ExampleSet

SHARES = {"train": 44, "validation": 2, "calibration": 2, "detector_train": 2}  # thousands of the 50,000
TRAINING_ROWS = 50_000


def cifar_part(
    folder: Path,
    part: str,
    source: str,
    *,
    training: Sequence[str],
    test: str,
    label_bytes: int,
    classes: int,
    split_seed: int,
    limit: int | None,
    origin: str,
) -> ExampleSet:
    """Return one part of a binary CIFAR set.

    Args:
        folder: of the raw files.
        part: train, validation, calibration, detector_train or test.
        source: name of the set.
        training: names of the training files.
        test: name of the test file.
        label_bytes: labels before each image; the last one is the class.
        classes: number of classes.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.
        origin: note on who published the set.

    Raises:
        DamagedFile: If a file is not whole; the message names it.
    """
    names = [test] if part == "test" else training
    files = [read_cifar(folder / name, label_bytes) for name in names]
    labels = np.concatenate([labels[:, -1] for labels, _ in files])
    if labels.max() >= classes:
        raise DamagedFile(f"{folder / names[0]}: labels must lie in 0..{classes - 1}")
    rows = rows_of_part(labels, {"test": 1} if part == "test" else SHARES, part, seed=split_seed, limit=limit)
    return prepared(
        np.concatenate([images for _, images in files])[rows],
        labels[rows],
        rows + (TRAINING_ROWS if part == "test" else 0),
        source,
        licence="none stated; offered for research",
        origin=origin,
    )
