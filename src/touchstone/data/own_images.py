"""Images of the user's own, whole or in three disjoint parts."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any, Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest import user_images as own
from touchstone.data.ingest.example_notes import prepared
from touchstone.data.ingest.splits import rows_of_part, stratified_order
from touchstone.data.ingest.user_arrays import ARRAYS
from touchstone.data.ingest.user_folder import files_in
from touchstone.data.ingest.user_pictures import Shaping, is_picture
from touchstone.messages import nearest
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array, ExampleSet

SHARES = {"fit": 30, "calibration": 20, "test": 50}
MOST_ROWS = 10**9  # of an array file


def own_images(
    folder: Path,
    *,
    part: Literal["fit", "calibration", "test", "all"] = "all",
    inside: str | None = None,
    labelled: bool = True,
    split_seed: NonNegativeInt = 0,
    limit: PositiveInt | None = None,
    classes: list[str] | None = None,
    height: PositiveInt | None = None,
    width: PositiveInt | None = None,
    colour: Literal["as_stored", "gray", "rgb"] = "as_stored",
    broken: Literal["refuse", "leave_out"] = "refuse",
) -> ExampleSet:
    """Return the user's images in `folder`, (N, C, H, W).

    example_ids are the numbers of the files by name, with those that are no pictures; a file of arrays has rows. An image
    has one id, from whichever place of its source it is read. If two places have a class folder of the same name, such
    as train/tulip and test/tulip, both number the classes of both.

    Args:
        folder: of the raw files: one folder of pictures per class, or one .npz or .safetensors file.
        inside: the folder or file of arrays in `folder` to read, such as flowers/train. None: all of it.
        part: 30, 20 or 50 % of the rows, stratified by class and disjoint for one `split_seed`; or all.
        labelled: False: labels are -1, pictures may be in any folder, and `part` is `all`.
        split_seed: of the split.
        limit: number of images, a stratified subset of the part; None: all.
        classes: the class folders in the order of the model's classes; None: the order of their names.
        height: to resize to (bilinear), together with width. None: all images must have the same shape.
        width: see height.
        colour: read pictures as gray or rgb, or as they are stored.
        broken: whether a broken picture is an error, or is left out and named in the notes.

    Raises:
        DamagedFile: If a file is not whole; the message names it.
        ValueError: If the settings do not fit the files, or if a part is asked of images without labels.
    """
    if (height is None) != (width is None):
        raise ValueError("height and width: set both or neither")
    if part != "all" and not labelled:
        raise ValueError(f"part: {part} is stratified by class, and labelled: false gives none; leave one of them out")
    place = folder if inside is None else _inside(folder, inside)
    others = class_folders(folder, place) if labelled and not classes and place.is_dir() else []
    files = own.own_images(place, classes or (), labelled=labelled, others=others)
    if classes and files.arrays is not None:
        raise ValueError(
            f"classes: {place} has an array of class numbers and no class folders; renumber it, or omit classes"
        )
    if part != "all":
        rows = rows_of_part(files.labels, SHARES, part, seed=split_seed, limit=limit)
    elif limit is not None and limit > len(files):
        raise ValueError(f"limit must be at most {len(files):,}, the images of {place}, got {limit:,}")
    else:
        rows = np.sort(stratified_order(files.labels, split_seed)[:limit])
    if not len(rows):
        raise ValueError(f"part: {empty(part, len(files), place)}")
    size = None if height is None or width is None else (height, width)
    try:
        images, faulty, good, changed = files.read(rows.tolist(), Shaping(size, colour))
    except ValueError as error:
        raise DamagedFile(f"{place}: {error}") from error
    if faulty and (broken == "refuse" or not good):
        raise DamagedFile(f"{place}: {own.named(faulty)}. Repair or remove them, or set broken: leave_out")
    kept = np.array(good, np.int64)
    notes: dict[str, Any] = {"left_out": [name for name, _ in faulty]} if faulty else {}
    notes |= {"skipped": files.skipped} if files.skipped else {}
    notes |= {"changed": list(changed)} if changed else {}
    if size is not None:
        notes["interpolation"] = f"resized to {height} x {width} (bilinear, PIL, 8 bits)"
    ids = _ids(folder, place, files, kept)
    stated = "as its source says"
    return prepared(images, files.labels[kept], ids, folder.name, licence=stated, origin=stated, **notes)


def empty(part: str, count: int, place: Path) -> str:
    """Return that a part of so many images of a place has none of them, and what to do."""
    images = f"{count} image{'s' if count > 1 else ''}"
    return f"the part {part} of the {images} of {place} is empty; add images, or write part: all"


def _ids(folder: Path, place: Path, files: own.OwnImages, rows: Array) -> Array:
    """Return ids of rows of a place that no other image of the source has, whichever place it is read from, (N,) int64.

    A picture has the number of its file among all files of the source. Rows of a file of arrays come after those of all
    pictures, unless it has all images of the source.
    """
    order = {path: number for number, path in enumerate(files_in(folder))}
    if files.pictures:
        return np.array([order[files.pictures[row]] for row in rows], np.int64)
    arrays = [path for path in order if path.suffix.lower() in ARRAYS]
    own_file = next(path for path in arrays if path == place or place in path.parents)
    if arrays == [own_file] and not any(map(is_picture, order)):
        return rows
    return rows + (1 + order[own_file]) * MOST_ROWS


def class_folders(folder: Path, place: Path) -> list[set[str]]:
    """Return the names of the folders in each other folder of the source that has pictures below them."""
    below: defaultdict[Path, set[str]] = defaultdict(set)
    for path in filter(is_picture, files_in(folder)):
        names = path.relative_to(folder).parts[:-1]
        for depth, name in enumerate(names):
            below[folder.joinpath(*names[:depth])].add(name)
    return [
        names for other, names in below.items() if place not in (other, *other.parents) and other not in place.parents
    ]


def _inside(folder: Path, name: str) -> Path:
    """Return a folder or file within a folder; ValueError if it is not there."""
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()) or not place.exists():
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
        raise ValueError(f"inside: {folder} contains no {name}; it contains {', '.join(names)}.{nearest(name, names)}")
    return place
