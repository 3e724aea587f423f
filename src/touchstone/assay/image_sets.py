"""The user's image sets: the labelled images of --data, and the sets of --ood, which have no classes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from touchstone.assay.arguments import Arguments
from touchstone.assay.class_order import Numbering
from touchstone.data.ingest.pixels import to_levels
from touchstone.data.ingest.splits import rows_of_part, stratified_order
from touchstone.data.ingest.user_images import OwnImages, Reading, named, own_images
from touchstone.data.own_images import SHARES
from touchstone.records.nouns import Array

PROBED = 512  # images that the model is tried on
FEWEST, FEWEST_ATTACKED = 50, 20  # images that can be split into three parts, and into those attacked and others


@dataclass(frozen=True)
class LabelledImages:
    """The images of --data.

    images, labels: some of them, stratified. attacked: the places there of those that a study attacks, the first to be taken
    first. others: the places of those that are not in the study's test part. settings: those that read them. counts: images
    of each part of the study. remarks: the notes on what was skipped, left out or read differently from how it is stored.
    """

    images: Array  # (N, C, H, W), uint8 or float in [0, 1]
    labels: Array  # (N,)
    attacked: Array
    others: Array
    settings: dict[str, Any]
    counts: dict[str, int]
    notes: tuple[str, ...]
    remarks: tuple[str, ...]
    numbering: Numbering
    contents: frozenset[bytes]  # digests of every image

    def check_enough(self, asked: int | None, most: int, rule: str) -> None:
        """Raise ValueError if more images should be attacked than the rule allows."""
        if asked is not None and asked > most:
            raise ValueError(
                f"--images {asked}: {rule}, {most} of your {sum(self.counts.values())}. Lower it, or give more images"
            )


def labelled_images(arguments: Arguments, most: int | None = PROBED, fewest: int = FEWEST) -> LabelledImages:
    """Read every image of --data once, and return at most `most`, None for all; ValueError if they cannot be used."""
    place, order = arguments.data, arguments.classes
    stored = own_images(place, order)
    if order and stored.arrays is not None:
        raise ValueError(
            f"--classes: {place} holds an array of class numbers, not folders; renumber it, or omit --classes"
        )
    present = sorted(set(stored.labels.tolist()))
    if len(present) < 2:
        only = stored.classes[present[0]]
        raise ValueError(f"{place}: all {len(stored)} images are of one class, {only}; a classifier needs two")
    images, broken, good, changed = _read(place, stored, arguments)
    counts = {part: int(np.isin(rows_of_part(stored.labels, SHARES, part, seed=0), good).sum()) for part in SHARES}
    if len(good) < fewest or not min(counts.values()):
        raise ValueError(
            f"{place}: {len(good)} images that can be read; an assay needs at least {fewest} to split into"
            f" {'three parts' if fewest == FEWEST else 'those that are attacked and others'}"
        )
    remarks = _remarks(place, stored, broken, changed)
    notes = list(remarks)
    contents = frozenset(_content(image) for image in images)
    if copies := len(images) - len(contents):
        notes.append(
            f"{copies} images are exact copies of others; if the copies are in different parts, fitted detectors look"
            " better than they are"
        )
    rows = stratified_order(stored.labels[good], 0)[:most]
    kept = np.asarray(good)[rows]
    test = np.intersect1d(rows_of_part(stored.labels, SHARES, "test", seed=0), good)
    attacked = test[stratified_order(stored.labels[test], 0)]  # as the component `subset` takes them
    attacked = attacked[np.isin(attacked, kept)]
    return LabelledImages(
        images=images[rows],
        labels=stored.labels[kept],
        attacked=np.argsort(kept)[np.searchsorted(np.sort(kept), attacked)],
        others=np.flatnonzero(~np.isin(kept, test)),
        settings=_settings(arguments, bool(broken)),
        counts=counts,
        notes=tuple(notes),
        remarks=remarks,
        numbering=Numbering(
            place=place.name,
            names=tuple(name if number in present else "" for number, name in enumerate(stored.classes)),
            empty=_empty(place, stored.classes),
            stated=bool(order) or stored.arrays is not None or all(n.isdigit() for n in stored.classes if n),
            arrays=stored.arrays is not None,
        ),
        contents=contents,
    )


def ood_sets(arguments: Arguments, labelled: LabelledImages) -> list[tuple[Path, int, bool, tuple[str, ...]]]:
    """Return the place of each set of --ood, its number of images, whether some are broken, and remarks.

    The remarks are on what was skipped, left out or changed.

    ValueError if its images have another shape than those of --data, or are among them.
    """
    sets = []
    for typed in arguments.ood:
        place = Path(typed).expanduser()
        stored = own_images(place, labelled=False)
        images, broken, _, changed = _read(place, stored, arguments)
        if images.shape[1:] != labelled.images.shape[1:]:
            expected, shape = (" x ".join(map(str, array.shape[1:])) for array in (labelled.images, images))
            raise ValueError(f"{place}: images are {shape}, those of --data {expected}; see --resize, --gray and --rgb")
        if shared := sum(_content(image) in labelled.contents for image in images):
            raise ValueError(
                f"--ood {typed}: {shared} of its {len(images)} images are in --data {arguments.data} too. Images of the"
                " model's classes are not out-of-distribution: give a folder of other images, or omit --ood"
            )
        sets.append((place, len(stored), bool(broken), _remarks(place, stored, broken, changed)))
    return sets


def _settings(arguments: Arguments, broken: bool) -> dict[str, Any]:
    """Return the settings with which the study reads the images as they were read here."""
    size, colour = arguments.shaping.size, arguments.shaping.colour
    settings: dict[str, Any] = {"colour": colour} if colour != "as_stored" else {}
    settings |= {"height": size[0], "width": size[1]} if size else {}
    settings |= {"classes": list(arguments.classes)} if arguments.classes else {}
    return settings | ({"broken": "leave_out"} if broken else {})


def _empty(place: Path, classes: tuple[str, ...]) -> tuple[str, ...]:
    """Return the folders beside those of classes that have no picture."""
    if not place.is_dir():
        return ()
    folders = sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
    return tuple(name for name in folders if name not in classes)


def _content(image: Array) -> bytes:
    """Return a digest of the 8-bit levels of an image, the same if it is stored as floats."""
    return hashlib.sha256((image if image.dtype == "uint8" else to_levels(image)).tobytes()).digest()


def _read(place: Path, stored: OwnImages, arguments: Arguments) -> Reading:
    """Read every image; ValueError if some are broken and must not be left out."""
    try:
        reading = stored.read(range(len(stored)), arguments.shaping)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    if reading.broken and not arguments.leave_out_broken:
        raise ValueError(
            f"{place}: {named(reading.broken)}. Repair or remove them, or skip them with --leave-out-broken"
        )
    return reading


def _remarks(
    place: Path, stored: OwnImages, broken: list[tuple[str, str]], changed: tuple[str, ...]
) -> tuple[str, ...]:
    """Return sentences on what was skipped, left out, or read differently from how it is stored."""
    return (
        *([f"skipped in {place.name}: {stored.skipped}"] if stored.skipped else []),
        *([f"left out of {place.name}: {named(broken)}"] if broken else []),
        *(f"in {place.name}, {change}" for change in changed),
    )
