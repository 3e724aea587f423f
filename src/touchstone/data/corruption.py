"""Those common corruptions of CIFAR-10-C that are cheap and suit small gray images."""

from __future__ import annotations

from io import BytesIO
from typing import Literal

import numpy as np
from PIL import Image

from touchstone.contracts import Severity
from touchstone.data.ingest.example_notes import derived
from touchstone.data.ingest.pixels import blurred, from_pictures, to_pictures
from touchstone.records.nouns import Array, ExampleSet

# Severity 1 to 5, from make_cifar_c.py of the official code, for 32x32 images. Those of ImageNet-C are for 224x224.
LEVELS: dict[str, tuple[float, ...]] = {
    "gaussian_noise": (0.04, 0.06, 0.08, 0.09, 0.10),  # standard deviation
    "shot_noise": (500, 250, 100, 75, 50),  # photons of a white pixel
    "impulse_noise": (0.01, 0.02, 0.03, 0.05, 0.07),  # share of values replaced
    "gaussian_blur": (0.4, 0.6, 0.7, 0.8, 1.0),  # sigma in pixels
    "contrast": (0.75, 0.5, 0.4, 0.3, 0.15),  # factor around the mean of each image and channel
    "brightness": (0.05, 0.1, 0.15, 0.2, 0.3),  # added to the HSV value
    "pixelate": (0.95, 0.9, 0.85, 0.75, 0.65),  # size of the small image
    "jpeg": (80, 65, 58, 50, 40),  # quality
}


def corruption(
    examples: ExampleSet,
    generator: np.random.Generator,
    *,
    kind: Literal[
        "gaussian_noise",
        "shot_noise",
        "impulse_noise",
        "gaussian_blur",
        "contrast",
        "brightness",
        "pixelate",
        "jpeg",
    ],
    severity: Severity = 3,
    severities: list[Severity] = [],  # noqa: B006 - a literal that the registry reads; never written to
) -> ExampleSet:
    """Return the same examples corrupted; ids and labels stay.

    Parameters are those of CIFAR-10-C, in LEVELS. Results are rounded to 1/255; the official code truncates.

    Args:
        examples: with 1 or 3 channels for pixelate and jpeg.
        generator: of the noises, which also depend on the ids: a detector must not learn the noise that it is tested on.
        kind: of the corruption.
        severity: from 1 to 5, of all images.
        severities: instead of `severity`, one for each image in turn. With as many images of each, the AUROC of a
            detector on the set is the mean of its AUROCs on the severities.

    Returns:
        The set; its source is named `<source>/<kind>_<severity>`, or `<source>/<kind>` with `severities`.

    References:
        Hendrycks and Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
        Perturbations", section 4.
    """
    for each in severities or [severity]:
        if kind not in LEVELS or each not in range(1, 6):
            raise ValueError(f"kind must be one of {', '.join(LEVELS)}, severity 1 to 5; got {kind!r}, {each}")
    generator = np.random.default_rng([int(generator.integers(2**63)), *examples.example_ids.tolist()])
    if not severities:
        return derived(examples, _corrupted(examples.images, generator, kind, severity), f"{kind}_{severity}")
    images = np.empty(examples.images.shape)
    for first, each in enumerate(severities[: len(images)]):
        rows = slice(first, None, len(severities))
        images[rows] = _corrupted(examples.images[rows], generator, kind, each)
    return derived(examples, images, kind)


def _corrupted(images: Array, generator: np.random.Generator, kind: str, severity: int) -> Array:
    level, pixels = LEVELS[kind][severity - 1], images
    images = images.astype(np.float64)
    match kind:
        case "gaussian_noise":
            images = images + generator.normal(0, level, images.shape)
        case "shot_noise":
            images = generator.poisson(images * level) / level
        case "impulse_noise":
            hit, salt = generator.random((2, *images.shape))
            images = np.where(hit < level, np.where(salt < 0.5, 1.0, 0.0), images)
        case "gaussian_blur":
            images = blurred(images, level)
        case "contrast":
            means = images.mean(axis=(2, 3), keepdims=True)
            images = (images - means) * level + means
        case "brightness":
            images = _brightened(images, level)
        case "pixelate":
            images = from_pictures([_pixelated(picture, level) for picture in to_pictures(pixels)])
        case "jpeg":
            images = from_pictures([_compressed(picture, int(level)) for picture in to_pictures(pixels)])
    return images


def _brightened(images: Array, amount: float) -> Array:
    """Return images with `amount` added to the largest channel; hue and saturation stay, black becomes gray."""
    value = images.max(axis=1, keepdims=True)
    brighter = np.minimum(value + amount, 1)
    brightened: Array = np.where(value > 0, images * brighter / np.where(value > 0, value, 1), brighter)
    return brightened


def _pixelated(picture: Image.Image, factor: float) -> Image.Image:
    width, height = (max(1, int(length * factor)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX).resize(picture.size, Image.Resampling.BOX)


def _compressed(picture: Image.Image, quality: int) -> Image.Image:
    file = BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert(picture.mode)
