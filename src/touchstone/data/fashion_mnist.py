"""Fashion-MNIST in five disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.idx import idx_part
from touchstone.records.nouns import ExampleSet


def fashion_mnist(
    folder: Path,
    *,
    part: Literal["train", "validation", "calibration", "detector_train", "test"],
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
) -> ExampleSet:
    """Return one part of Fashion-MNIST: images (N, 1, 28, 28), labels 0 to 9.

    45,000, 5,000, 5,000 and 5,000 of the 60,000 training images, stratified by class and disjoint for one
    `split_seed`. The part `test` is the official 10,000. example_ids are rows of the training file; test rows count
    on from 60,000, so that no two images of the source share an id.

    Args:
        folder: of the raw files.
        part: of the set.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.

    Raises:
        DamagedFile: If an idx file is not whole; the message names it.
    """
    return idx_part(
        folder,
        part,
        "fashion_mnist",
        split_seed=split_seed,
        limit=limit,
        licence="MIT, (c) 2017 Zalando SE",
        origin="Fashion-MNIST, Xiao et al. 2017",
    )
