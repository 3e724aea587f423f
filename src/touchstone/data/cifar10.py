"""CIFAR-10 in five disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.cifar import cifar_part
from touchstone.records.nouns import ExampleSet


def cifar10(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of CIFAR-10: images (N, 3, 32, 32).

    Labels 0 to 9. 44,000, 2,000, 2,000 and 2,000 of the 50,000 training images, stratified by class and disjoint for
    one `split_seed`. The part `test` is the official 10,000. example_ids are rows of the training files; test rows
    count on from 50,000.

    Args:
        folder: of the raw files.
        part: of the set.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.

    Raises:
        DamagedFile: If a file is not whole; the message names it.
    """
    return cifar_part(
        folder,
        part,
        "cifar10",
        training=[f"data_batch_{number}.bin" for number in range(1, 6)],
        test="test_batch.bin",
        label_bytes=1,
        classes=10,
        split_seed=split_seed,
        limit=limit,
        origin="CIFAR-10, Krizhevsky 2009",
    )
