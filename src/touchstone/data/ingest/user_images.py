"""The user's images: a folder of pictures per class, an .npz file or a safetensors file.

Uses only numpy and PIL. Nothing is resized, converted or left out unless a setting says so. What is skipped, or read
differently from how it is stored, is counted.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from PIL import Image

from touchstone.data.ingest.example_notes import NO_CLASS
from touchstone.data.ingest.pixels import LEVELS
from touchstone.data.ingest.user_arrays import ARRAYS, MOST_BYTES, MOST_CLASSES, read_arrays
from touchstone.data.ingest.user_folder import Contents, contents
from touchstone.data.ingest.user_pictures import (
    UNDECODABLE,
    Shaping,
    by_suffix,
    is_picture,
    read_picture,
    shaped,
    suffixes,
)
from touchstone.messages import first_line, nearest
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array

SHOWN = 5  # names that a message lists
COPIES = 5  # bytes of memory per pixel: its level, and its value as a float
PARTS = frozenset({"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval", "holdout"})


class Reading(NamedTuple):
    """The images that were read.

    Attributes:
        images: (N, C, H, W), uint8 or float in [0, 1].
        broken: names of those that cannot be read, with the reason.
        rows: of `images`.
        changed: sentences on images that were read differently from how they are stored.
    """

    images: Array
    broken: list[tuple[str, str]]
    rows: list[int]
    changed: tuple[str, ...]


@dataclass(frozen=True)
class OwnImages:
    """What a folder or file contains.

    Attributes:
        labels: class of each row, (N,); -1 for none.
        classes: names, by number.
        names: of the rows: files, or FILE[row].
        pictures: files of the rows, if they are pictures.
        arrays: the images, if they are arrays.
        skipped: the files that are not read, counted by reason; "" if there are none.
    """

    labels: Array
    classes: tuple[str, ...]
    names: tuple[str, ...]
    pictures: tuple[Path, ...] = ()
    arrays: Array | None = None
    skipped: str = ""

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, rows: Iterable[int], shaping: Shaping) -> Reading:
        """Read images.

        Raises:
            ValueError: If images differ in shape, or are too large together.
        """
        rows = list(rows)
        read: list[Array] = []
        broken: list[tuple[str, str]] = []
        good: list[int] = []
        changed: defaultdict[str, list[str]] = defaultdict(list)
        if shaping.size is not None:
            _check_size(len(rows), (1 if shaping.colour != "rgb" else 3, *shaping.size))
        for row in rows:
            try:
                pixels, changes = self._pixels(int(row), shaping)
            except UNDECODABLE as error:
                broken.append((self.names[row], first_line(error).split(" <")[0]))
                continue
            if not read:
                _check_size(len(rows), pixels.shape)
            elif pixels.shape != read[0].shape:
                raise ValueError(_unlike((self.names[row], pixels), (self.names[good[0]], read[0])))
            for change in changes:
                changed[change].append(self.names[row])
            read.append(pixels)
            good.append(int(row))
        images = np.stack(read) if read else np.zeros((0, 1, 1, 1), np.uint8)
        return Reading(images, broken, good, tuple(_counted(change, names) for change, names in changed.items()))

    def _pixels(self, row: int, shaping: Shaping) -> tuple[Array, list[str]]:
        """Return one image (C, H, W), resized and converted, and what else was changed."""
        if self.arrays is None:
            return read_picture(self.pictures[row], shaping)
        pixels = self.arrays[row]
        if not np.isfinite(pixels).all():
            raise ValueError("contains NaN or infinity")
        if shaping == Shaping():
            return np.asarray(pixels), []
        levels = pixels if pixels.dtype == np.uint8 else np.rint(pixels * LEVELS).astype(np.uint8)
        picture = Image.fromarray(levels[0] if len(levels) == 1 else np.moveaxis(levels, 0, -1).copy())
        return shaped(picture, shaping), []


def _check_size(count: int, shape: tuple[int, ...]) -> None:
    """Raise ValueError if so many images of a shape (C, H, W) are too large together."""
    size, free = count * int(np.prod(shape)), psutil.virtual_memory().available
    if size > MOST_BYTES:
        limit = f"at most {MOST_BYTES / 1e9:.1f} GB"
    elif COPIES * size > free:
        limit = f"and {COPIES} times as much memory is needed, but {free / 1e9:.1f} GB are free"
    else:
        return
    raise ValueError(
        f"{count} images of {_times(shape)} (channels x height x width) are {size / 1e9:.1f} GB; {limit}: give a size to"
        " resize to (--resize 224x224), or fewer images"
    )


def _unlike(one: tuple[str, Array], other: tuple[str, Array]) -> str:
    """Return the message on two images of other shapes."""
    remedies = [
        *(["gray or rgb (--gray, --rgb)"] if one[1].shape[0] != other[1].shape[0] else []),
        *(["a size to resize to (--resize 32x32)"] if one[1].shape[1:] != other[1].shape[1:] else []),
    ]
    return (
        f"{one[0]} is {_times(one[1].shape)} (channels x height x width), {other[0]} is {_times(other[1].shape)}:"
        f" give {' and '.join(remedies)}, so that all are alike"
    )


def _counted(change: str, names: list[str]) -> str:
    """Return a sentence: "turned upright, ...: 3 images, such as a/1.jpg"."""
    return f"{change}: {len(names)} image{'s' if len(names) > 1 else ''}, such as {names[0]}"


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def own_images(
    folder: Path, classes: Iterable[str] = (), *, labelled: bool = True, others: Iterable[set[str]] = ()
) -> OwnImages:
    """Return the user's images in a folder or an array file.

    Pictures are in one folder per class. If all folders have whole numbers as names, these are the classes' numbers.
    Otherwise classes are numbered in the order of their names, or as in `classes`.

    Args:
        folder: with pictures or a single array file; or an array file.
        classes: names of the class folders, in the order of the model's classes.
        labelled: False: pictures may be in any folder, and labels are -1.
        others: the class folders of other parts of the data set. Those of a part that has one of the same name are
            numbered, too, unless there are `classes`.

    Raises:
        DamagedFile: If files or classes are missing, or if the folders are parts of a data set and no classes.
        ValueError: If a folder is not among `classes`, or if these name one twice.
    """
    found = Contents([folder]) if folder.is_file() else contents(folder)
    arrays = [path for path in found.files if path.suffix.lower() in ARRAYS]
    pictures = [path for path in found.files if path not in arrays and is_picture(path)]
    if len(arrays) == 1 and not pictures:
        return _of_arrays(arrays[0], labelled, _skipped(found, {*arrays}))
    if not pictures:
        raise DamagedFile(_no_images(folder, found, arrays))
    skipped = _skipped(found, {*pictures})
    if folder.is_file():
        if labelled:
            raise DamagedFile(f"{folder}: is one picture; give the folder that has a folder of pictures for each class")
        return OwnImages(np.full(1, NO_CLASS, np.int64), (), (folder.name,), (folder,))
    places = [path.relative_to(folder) for path in pictures]
    names = tuple(place.as_posix() for place in places)
    if not labelled:
        return OwnImages(np.full(len(pictures), NO_CLASS, np.int64), (), names, tuple(pictures), skipped=skipped)
    loose = [path.name for path in pictures if path.parent == folder]
    if loose:
        raise DamagedFile(
            f"{folder}: no classes: {loose[0]}{' and others are' if len(loose) > 1 else ' is'} in no class folder;"
            " put each picture into a folder named for its class"
        )
    folders = [place.parts[0] for place in places]
    order = tuple(classes)
    if not order:
        _refuse_parts(folder, places)
    order = _classes(sorted(_joined(set(folders), () if order else others)), order, folder)
    numbers = {name: number for number, name in enumerate(order) if name}
    labels = np.array([numbers[name] for name in folders], np.int64)
    return OwnImages(labels, order, names, tuple(pictures), skipped=skipped)


def _no_images(folder: Path, found: Contents, arrays: list[Path]) -> str:
    """Return the message on a place without images, or with more than one array file."""
    if len(arrays) > 1:
        listed = ", ".join(path.name for path in arrays[:SHOWN])
        return f"{folder}: contains {len(arrays)} array files ({listed}); give one of them"
    kinds = ", ".join(sorted(suffixes() | ARRAYS))
    expected = f"expected pictures, one .npz or one .safetensors file ({kinds})"
    if folder.is_file():
        return f"{folder}: is no file of images: {expected}"
    skipped = _skipped(found, set())
    return f"{folder}: no images: {expected}{f'; found {skipped}' if skipped else ''}"


def _skipped(found: Contents, read: set[Path]) -> str:
    """Return the files that are not read, counted by reason: "2 files that PIL ... (1 .heic, 1 .txt), 1 file hidden"."""
    others = [path for path in found.files if path not in read]
    arrays = [path for path in others if path.suffix.lower() in ARRAYS]
    unread = [path for path in others if path not in arrays]
    reasons = {
        f"that PIL here does not open as pictures ({by_suffix(unread)})": len(unread),
        f"of arrays beside pictures ({by_suffix(arrays)})": len(arrays),
        "hidden by a dot before the name": found.hidden,
        "of another kind, such as a pipe": found.special,
    }
    return ", ".join(f"{count} file{'s' if count > 1 else ''} {reason}" for reason, count in reasons.items() if count)


def _refuse_parts(folder: Path, places: list[Path]) -> None:
    """Raise DamagedFile if the folders are parts of a data set, such as train and test, whose folders are the classes."""
    below: defaultdict[str, set[str]] = defaultdict(set)
    for place in places:
        below[place.parts[0]].update(place.parts[1:-1][:1])
    parts, classes = sorted(below), sorted(set().union(*below.values()))
    alike = len(classes) > 1 and all(subfolders == set(classes) for subfolders in below.values())
    if alike or (len(parts) > 1 and all(part.lower() in PARTS for part in parts)):
        has = f": each has the folders {', '.join(classes[:SHOWN])}{', ...' if len(classes) > SHOWN else ''}"
        tested = next((part for part in parts if part.lower() in ("test", "testing")), parts[0])
        raise DamagedFile(
            f"{folder}: its folders {', '.join(parts[:SHOWN])} look like parts of a data set, not like classes"
            f"{has if alike else ''}. Give one of them, such as {folder / tested}; if they are the classes, list them as"
            f" classes (--classes {','.join(parts[:SHOWN])})"
        )


def _joined(names: set[str], others: Iterable[set[str]]) -> set[str]:
    """Return names, with those of all sets that share one of them, directly or through another set."""
    others = list(others)
    while more := [other for other in others if other & names and not other <= names]:
        names = names.union(*more)
    return names


def _classes(folders: list[str], order: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return the names of the classes by number; "" for a number that no folder has."""
    if order:
        if twice := next((name for name in order if order.count(name) > 1), ""):
            raise ValueError(
                f"classes: {twice} is there twice; name each class once, in the order of the model's classes"
            )
        if unknown := sorted(set(folders) - set(order)):
            given = ", ".join(order)
            raise ValueError(
                f"{folder}: the folder {unknown[0]} is not among the classes given: {given}.{nearest(unknown[0], order)}"
            )
        return order
    alike: dict[str, str] = {}
    for name in folders:
        other = alike.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise DamagedFile(
                f"{folder}: the folders {other} and {name} differ only in upper and lower case, or in how accents are"
                " stored; merge them, or list both as classes"
            )
    if not all(name.isascii() and name.isdecimal() for name in folders):
        return tuple(folders)
    numbers: dict[int, str] = {}
    for name in folders:
        if len(name) > len(str(MOST_CLASSES)) or int(name) >= MOST_CLASSES:
            raise DamagedFile(
                f"{folder / name}: class numbers go up to {MOST_CLASSES - 1:,}; rename the folders, or list them as"
                " classes, in the order of the model's classes"
            )
        if other_name := numbers.get(int(name)):
            raise DamagedFile(f"{folder}: the folders {other_name} and {name} are both class {int(name)}; merge them")
        numbers[int(name)] = name
    return tuple(numbers.get(number, "") for number in range(max(numbers) + 1))


def _of_arrays(path: Path, labelled: bool, skipped: str) -> OwnImages:
    """Return the arrays of a file as the user's images."""
    images, stated = read_arrays(path, labelled=labelled)
    labels = np.full(len(images), NO_CLASS, np.int64) if stated is None else stated
    classes = () if stated is None else tuple(map(str, range(int(labels.max(initial=-1)) + 1)))
    names = tuple(f"{path.name}[{row}]" for row in range(len(images)))
    return OwnImages(labels, classes, names, arrays=images, skipped=skipped)


def named(broken: list[tuple[str, str]]) -> str:
    """Describe broken images: how many, and the first ones by name with the reason."""
    listed = "; ".join(f"{name} ({reason})" for name, reason in broken[:SHOWN])
    more = f"; and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
    return f"{len(broken)} broken image{'s' if len(broken) > 1 else ''}: {listed}{more}"
