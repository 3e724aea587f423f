"""What is known of a set before its images are read: at most how many there are, their classes and their shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from touchstone.settings.families import Settings

NO_CLASS = frozenset({-1})  # the label of images that show no class
GENERATED = ("blobs", "checkerboards", "gaussian_noise", "standard_normal", "uniform_noise")
UNLABELLING = ("patch_shuffled", "phase_scrambled", "without_classes")
KEEPING = ("corruption", "natural_shift", "subset", "without_rows")  # labels and shape of the set that they are made of

Shape = tuple[int, int, int]  # channels, height, width


class Published(NamedTuple):
    """A published set that a component of data/ reads.

    Attributes:
        source: the component of sources/ that fetches its files.
        rows: part -> how many images it has; "" is a set without parts.
        channels: of its images.
        side: of its images; None if the setting `size` says it.
        classes: how many it has; 0 if its images have no label.
    """

    source: str
    rows: Mapping[str, int]
    channels: int
    side: int | None = None
    classes: int = 0


class Photographs(NamedTuple):
    """Published photographs of one size that a component of data/ cuts into tiles.

    Attributes:
        source: the component of sources/ that fetches them.
        number: how many there are.
        height: in pixels.
        width: in pixels.
    """

    source: str
    number: int
    height: int
    width: int


class Known(NamedTuple):
    """What is known of a set; None of what is not.

    Attributes:
        rows: how many images it has at most.
        labels: that its images may have.
        shape: of an image.
    """

    rows: int | None = None
    labels: frozenset[int] | None = None
    shape: Shape | None = None


def _parts(*rows: int) -> dict[str, int]:
    """Return how many images the parts of a set have, which every published set with classes names alike."""
    return dict(zip(("train", "validation", "calibration", "detector_train", "test"), rows, strict=True))


MNIST = _parts(45_000, 5_000, 5_000, 5_000, 10_000)
CIFAR = _parts(44_000, 2_000, 2_000, 2_000, 10_000)
PUBLISHED = {  # the docstrings of these components say the same
    "digits": Published("sklearn_digits", _parts(809, 179, 180, 270, 359), 1, classes=10),
    "mnist": Published("mnist", MNIST, 1, 28, 10),
    "fashion_mnist": Published("fashion_mnist", MNIST, 1, 28, 10),
    "cifar10": Published("cifar10", CIFAR, 3, 32, 10),
    "cifar100": Published("cifar100", CIFAR, 3, 32, 100),
    "svhn": Published("svhn", _parts(66_232, 2_007, 2_007, 3_011, 26_032), 3, 32, 10),
    "gtsrb": Published("gtsrb", _parts(21_300, 1_620, 1_590, 2_130, 12_630), 3, classes=43),
    "faces": Published("skimage_faces", {"": 100}, 1),
    "textures": Published("textures", {"": 5_640}, 3),
    "places365": Published("places365", {"": 36_500}, 3),
    "lsun_crop": Published("lsun_crop", {"": 10_000}, 3),
    "lsun_resize": Published("lsun_resize", {"": 10_000}, 3),
    "isun": Published("isun", {"": 8_925}, 3),
}
TILED = {
    "photograph_patches": Photographs("sklearn_photographs", 2, 427, 640),
    "texture_patches": Photographs("skimage_textures", 3, 512, 512),
}


def known(name: str, examples: Mapping[str, Settings], sources: Mapping[str, Settings]) -> Known:
    """Return what is known of a set.

    Args:
        name: of the set.
        examples: the entries of the study's section; no two are made of each other.
        sources: likewise. Files of the user's own may hold any number of images.
    """
    entry = examples[name]
    if entry.get("of"):
        return _derived(entry, known(entry["of"], examples, sources))
    all_rows = rows_of_part(entry, sources)
    rows = _least(all_rows, entry.get("limit"), entry.get("count"))
    kind = _kind(entry)
    if kind in GENERATED:
        return Known(entry["count"], NO_CLASS, (entry["channels"], entry["size"], entry["size"]))
    if kind in TILED:
        return Known(rows, NO_CLASS, (1, entry["size"], entry["size"]))
    if kind in PUBLISHED:
        found = PUBLISHED[kind]
        side = found.side or entry["size"]
        labels = frozenset(range(found.classes)) if found.classes else NO_CLASS
        return Known(rows, labels, (found.channels, side, side))
    if kind == "own_images":
        return Known(rows, None if entry["labelled"] else NO_CLASS, _own_shape(entry))
    return Known(rows)


def rows_of_part(entry: Settings, sources: Mapping[str, Settings]) -> int | None:
    """Return how many images the part of a published set has from which a set takes some; None if that is not known."""
    kind = _kind(entry)
    if kind not in {*PUBLISHED, *TILED} or _kind(sources.get(entry["source"], {})) != source_of(kind):
        return None
    if kind in TILED:
        return _tiles(TILED[kind], entry)
    return PUBLISHED[kind].rows[entry.get("part", "")]


def source_of(kind: str) -> str:
    """Return the component of sources/ that fetches what a component of data/ reads; "" if it is not a certain one."""
    found = PUBLISHED.get(kind) or TILED.get(kind)
    return found.source if found else ""


def _kind(entry: Settings) -> str:
    """Return the component of an entry without its folder."""
    return str(entry.get("use", "")).rpartition("/")[2]


def _derived(entry: Settings, origin: Known) -> Known:
    """Return what is known of a set that is made of another."""
    rows, kind = _least(origin.rows, entry.get("count")), _kind(entry)
    if kind in KEEPING:
        return origin._replace(rows=rows)
    if kind in UNLABELLING:
        return Known(rows, NO_CLASS, origin.shape)
    if kind == "two_classes":
        return Known(rows, frozenset({0, 1}), origin.shape)
    if kind == "held_out_classes" and origin.labels is not None:
        chosen = frozenset(entry["classes"])
        return Known(rows, origin.labels & chosen if entry["keep"] else origin.labels - chosen, origin.shape)
    if kind == "class_split":
        labels = {"known": range(entry["known"]), "seen": range(entry["seen"])}
        labels["met"] = range(entry["seen"], entry["known"])
        return Known(rows, frozenset(labels.get(entry["part"], NO_CLASS)), origin.shape)
    return Known(rows, shape=origin.shape if kind == "held_out_classes" else None)


def _tiles(photographs: Photographs, entry: Settings) -> int:
    """Return how many tiles some photographs have."""
    size = int(entry["size"])
    stride = int(entry["stride"] or size)
    sides = (round(length * float(entry["scale"])) for length in (photographs.height, photographs.width))
    down, across = (max(0, (side - size) // stride + 1) for side in sides)
    return photographs.number * down * across


def _own_shape(entry: Settings) -> Shape | None:
    """Return the shape of the user's own images; None if their files decide it."""
    if entry["height"] is None or entry["width"] is None or entry["colour"] == "as_stored":
        return None
    return (1 if entry["colour"] == "gray" else 3, entry["height"], entry["width"])


def _least(*numbers: Any) -> int | None:
    return min((number for number in numbers if number is not None), default=None)
