"""Darker and over-sharp images: natural shifts of the image translation paper."""

from __future__ import annotations

from typing import Literal

from PIL import ImageEnhance

from touchstone.data.ingest.example_notes import derived
from touchstone.data.ingest.pixels import from_pictures, to_pictures
from touchstone.records.nouns import ExampleSet

# docs/papers/translation.md, Natural shifts
SHIFTS = {
    "darker": ((ImageEnhance.Contrast, 3.8), (ImageEnhance.Brightness, 0.1)),
    "sharper": ((ImageEnhance.Sharpness, 15.0),),
}


def natural_shift(examples: ExampleSet, *, shift: Literal["darker", "sharper"]) -> ExampleSet:
    """Return the same examples after a natural shift; ids and labels stay.

    `darker` is contrast 3.8, then brightness 0.1. `sharper` is sharpness 15. Order and 8-bit rounding after each are
    those of PIL.ImageEnhance. Contrast is taken around the image's own mean gray, rounded. Images must have 1 or 3
    channels. The source is named `<source>/<shift>`.

    References:
        Amich and Eshete 2022 (arXiv:2202.08944), official code; docs/papers/translation.md, Natural shifts.
    """
    if shift not in SHIFTS:
        raise ValueError(f"shift must be one of {', '.join(SHIFTS)}, got {shift!r}")
    pictures = to_pictures(examples.images)
    for enhancer, factor in SHIFTS[shift]:
        pictures = [enhancer(picture).enhance(factor) for picture in pictures]
    return derived(examples, from_pictures(pictures), shift)
