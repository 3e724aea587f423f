"""CIFAR-10 in five disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.example_notes import prepared
from touchstone.picture_files import read_cifar
from touchstone.pixels import from_levels
from touchstone.records import DamagedFile, ExampleSet
from touchstone.splits import rows_of_part

SHARES = {"train": 44, "validation": 2, "calibration": 2, "detector_train": 2}  # thousands of the 50,000
TRAINING_ROWS, CLASSES = 50_000, 10
TRAINING = [f"data_batch_{number}.bin" for number in range(1, 6)]


def cifar10(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of CIFAR-10: images (N, 3, 32, 32), labels 0 to 9.

    44,000, 2,000, 2,000 and 2,000 of the 50,000 training images, stratified by class and disjoint for one `split_seed`;
    test is the official 10,000. example_ids are rows of the training files; test rows count on from 50,000. `limit`
    takes a stratified subset of the part, also seeded by `split_seed`. DamagedFile names the file that is not whole.
    """
    names = ["test_batch.bin"] if part == "test" else TRAINING
    found = [read_cifar(folder / name, 1) for name in names]
    labels = np.concatenate([labels[:, 0] for labels, _ in found])
    if labels.max() >= CLASSES:
        raise DamagedFile(f"{folder / names[0]}: labels must lie in 0..{CLASSES - 1}")
    rows = rows_of_part(labels, {"test": 1} if part == "test" else SHARES, part, seed=split_seed, limit=limit)
    return prepared(
        from_levels(np.concatenate([images for _, images in found])[rows]),
        labels[rows],
        rows + (TRAINING_ROWS if part == "test" else 0),
        "cifar10",
        licence="none stated; offered for research",
        origin="CIFAR-10, Krizhevsky 2009",
    )
