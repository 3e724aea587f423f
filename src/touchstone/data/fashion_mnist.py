"""Fashion-MNIST in five disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.ingest.idx import idx_part
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
    `split_seed`; test is the official 10,000. example_ids are rows of the training file; test rows count on from
    60,000, so that no two images of the source share an id. `limit` takes a stratified subset of the part, also seeded
    by `split_seed`. DamagedFile names the idx file that is not whole.
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
