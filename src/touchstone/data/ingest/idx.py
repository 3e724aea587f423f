"""MNIST and the sets in its file format, in five disjoint parts."""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.raw_files import read_idx
from touchstone.data.ingest.splits import rows_of_part
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array, ExampleSet

SHARES = {"train": 45, "validation": 5, "calibration": 5, "detector_train": 5}  # thousands of the 60,000
TRAINING_ROWS, CLASSES = 60_000, 10


def idx_part(
    folder: Path, part: str, source: str, *, split_seed: int, limit: int | None, licence: str, origin: str
) -> ExampleSet:
    """Return one part of a set in idx files.

    DamagedFile names a file that is not whole.
    """
    images, labels = _read(folder, "t10k" if part == "test" else "train")
    shares = {"test": 1} if part == "test" else SHARES
    rows = rows_of_part(labels, shares, part, seed=split_seed, limit=limit)
    ids = rows + (TRAINING_ROWS if part == "test" else 0)
    return prepared(images[rows][:, None], labels[rows], ids, source, licence=licence, origin=origin)


def _read(folder: Path, name: str) -> tuple[Array, Array]:
    """Return images (N, 28, 28) and labels (N,) of the files of that name, uint8."""
    pictures, names = folder / f"{name}-images-idx3-ubyte", folder / f"{name}-labels-idx1-ubyte"
    images, labels = read_idx(pictures, 3), read_idx(names, 1)
    if images.shape[1:] != (28, 28) or len(images) == 0:
        raise DamagedFile(f"{pictures}: images of shape {images.shape}, expected (N, 28, 28)")
    if len(labels) != len(images) or labels.max() >= CLASSES:
        raise DamagedFile(f"{names}: expected {len(images)} labels from 0 to {CLASSES - 1}")
    return images, labels
