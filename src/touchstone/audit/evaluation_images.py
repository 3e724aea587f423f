"""Compare the images of `evaluate`'s evidence with a set that the verifier brings: same images, same labels, all of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from touchstone.assay import named_data
from touchstone.audit.problems import DATA, Result, counted
from touchstone.data.ingest import user_images
from touchstone.data.ingest.user_pictures import Shaping
from touchstone.records.nouns import Array, ExampleSet

GRID, ROUNDING = 255, 1e-6  # of pixels: the same level, divided by 255 in another order
AGREEING = 5  # images of each class that has another number: fewer may be labels that were forged


@dataclass(frozen=True)
class OwnSet:
    """A verifier's own images.

    Attributes:
        name: As it was typed.
        images: (N, C, H, W), float32 in [0, 1].
        labels: (N,).
    """

    name: str
    images: Array
    labels: Array


def read(data: str) -> OwnSet:
    """Return the images and labels at a place, or of a set that has a name.

    Args:
        data: What `touchstone assay --data` takes.

    Raises:
        ValueError: It holds no images with labels, or some that cannot be read.
        FileNotFoundError: There is no such place, and the set cannot be downloaded.
    """
    place = named_data.located(data)
    if not place.exists():
        raise FileNotFoundError(2, "--data: no such file or folder", data)
    stored = user_images.own_images(place)
    images, broken, _, _ = stored.read(range(len(stored)), Shaping())
    if broken:
        raise ValueError(f"--data {data}: {user_images.named(broken)}. Repair or remove them")
    pixels = images.astype(np.float32)
    return OwnSet(data, pixels / np.float32(GRID) if images.dtype == np.uint8 else pixels, stored.labels)


def renumbered(clean: ExampleSet, own: OwnSet, result: Result) -> OwnSet:
    """Return the verifier's set with the evidence's numbers of its classes, if all images agree that these are others.

    Folders are numbered by their names, and a model may have its classes in another order.

    Args:
        clean: The images before the attack.
        own: The verifier's set.
        result: Receives the numbers that are taken on trust.
    """
    labels = dict(zip(map(_digest, own.images), own.labels.tolist(), strict=True))
    digests = map(_digest, clean.images)
    pairs = Counter(
        (labels[one], label) for one, label in zip(digests, clean.labels.tolist(), strict=True) if one in labels
    )
    numbers = dict(pairs.keys())
    others = {label: number for label, number in sorted(numbers.items()) if label != number}
    agree = len(pairs) == len(numbers) and sorted(numbers) == sorted(numbers.values())
    if not others or not agree or min(pairs[pair] for pair in others.items()) < AGREEING:
        return own
    words = ", ".join(f"class {label} is {number}" for label, number in others.items())
    result.unchecked.append(f"that the model numbers its classes as the evidence does: of those of {own.name}, {words}")
    return replace(own, labels=np.array([numbers.get(label, label) for label in own.labels.tolist()]))


def left_out(clean: ExampleSet, own: OwnSet, result: Result) -> Array:
    """Check that the images are among the verifier's, each with its label and no more often than there.

    Args:
        clean: The images before the attack.
        own: The verifier's set.
        result: Receives the problems, or what was proved.

    Returns:
        The rows of the verifier's set that the evidence lacks; none if there are problems.

    Raises:
        ValueError: The verifier's images have another shape.
    """
    if own.images.shape[1:] != clean.images.shape[1:]:
        needed, ours = (" x ".join(map(str, images.shape[1:])) for images in (clean.images, own.images))
        raise ValueError(f"--data {own.name}: its images are {ours}, and those of the evidence {needed}")
    own_digests, digests = ([_digest(image) for image in images] for images in (own.images, clean.images))
    labels = dict(zip(own_digests, own.labels.tolist(), strict=True))
    stock = Counter(zip(own_digests, own.labels.tolist(), strict=True))
    wrong: dict[str, list[int]] = {}
    for row, (digest, label) in enumerate(zip(digests, clean.labels.tolist(), strict=True)):
        if stock[digest, label]:
            stock[digest, label] -= 1
        elif digest not in labels:
            wrong.setdefault(f"not in {own.name}", []).append(row)
        elif (digest, label) in stock:
            wrong.setdefault(f"more often in it than in {own.name}", []).append(row)
        else:
            wrong.setdefault(f"labelled otherwise in {own.name}", []).append(row)
    for what, rows in wrong.items():
        first = f"first image {rows[0]}, of class {clean.labels[rows[0]]}"
        result.add(
            DATA, "clean.safetensors", f"{len(rows):,} of its {counted(len(clean), 'image')} are {what}, {first}"
        )
    if wrong:
        return np.array([], np.int64)
    rest = []
    for row, key in enumerate(zip(own_digests, own.labels.tolist(), strict=True)):
        if stock[key]:
            stock[key] -= 1
            rest.append(row)
    which = "some" if rest else "all"
    result.proved.append(
        f"{counted(len(clean), 'image')} with labels: {which} of the {len(own.images):,} of {own.name}"
    )
    return np.array(rest, np.int64)


def _digest(image: Array) -> bytes:
    """Return a digest of an image: of its 8-bit levels if it has them, however they were divided, else of its floats."""
    levels = np.rint(image * GRID)
    if np.abs(image * GRID - levels).max(initial=0) <= GRID * ROUNDING:
        image = levels.astype(np.uint8)
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).digest()
