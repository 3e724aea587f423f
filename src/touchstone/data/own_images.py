"""Images of the user's own, whole or in three disjoint parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.ingest import user_images as own
from touchstone.ingest.example_notes import prepared
from touchstone.ingest.pixels import LEVELS
from touchstone.ingest.splits import rows_of_part, stratified_order
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import ExampleSet

SHARES = {"fit": 30, "calibration": 20, "test": 50}


def own_images(
    folder: Path,
    *,
    part: Literal["fit", "calibration", "test", "all"] = "all",
    labelled: bool = True,
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
    classes: list[str] | None = None,
    height: PositiveInt | None = None,
    width: PositiveInt | None = None,
    colour: Literal["as_stored", "gray", "rgb"] = "as_stored",
    broken: Literal["refuse", "leave_out"] = "refuse",
) -> ExampleSet:
    """Return the images in `folder`, (N, C, H, W): a folder of pictures per class, or one .npz or safetensors file.

    part: 30, 20 or 50 of 100 rows, stratified by class and disjoint for one `split_seed`, or all. Not `labelled`: labels
    are -1, pictures may lie anywhere, and only all of them can be had. `classes`: the folders in the order of the model's
    classes, where that is not the order of their names. height and width resize (bilinear); without, all images must be
    alike. `broken` pictures stop it, or are left out and named in the notes. example_ids are rows by name; `limit` takes
    a stratified subset. DamagedFile and ValueError say what is wrong with which file.
    """
    if (height is None) != (width is None):
        raise ValueError("height and width go together")
    found = own.own_images(folder, classes or (), labelled=labelled)
    if labelled and part != "all":
        rows = rows_of_part(found.labels, SHARES, part, seed=split_seed, limit=limit)
    else:
        rows = np.sort(stratified_order(found.labels, split_seed)[:limit])
    size = None if height is None or width is None else (height, width)
    try:
        images, faulty, good = found.read(rows.tolist(), own.Shaping(size, colour))
    except ValueError as error:
        raise DamagedFile(f"{folder}: {error}") from error
    if faulty and (broken == "refuse" or not good):
        raise DamagedFile(f"{folder}: {own.named(faulty)}. Repair or remove them, or set broken: leave_out")
    if images.dtype == np.uint8:
        images = images.astype(np.float32) / np.float32(LEVELS)
    kept = np.array(good, np.int64)
    notes: dict[str, Any] = {"left_out": [name for name, _ in faulty]} if faulty else {}
    if size is not None:
        notes["interpolation"] = f"resized to {height} x {width} (bilinear, PIL, 8 bits)"
    return prepared(
        images, found.labels[kept], kept, folder.name, licence="the user's own", origin="the user's own files", **notes
    )
