"""Images with random Fourier phases, as outliers for training."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import derived, no_classes
from touchstone.records.nouns import Array, ExampleSet


def phase_scrambled(
    examples: ExampleSet, generator: np.random.Generator, *, count: PositiveInt | None = None
) -> ExampleSet:
    """Return images with the amplitudes of `examples` and random phases, labels -1.

    Brightness and spatial frequencies stay; shapes do not. Values are clipped to [0, 1], which changes some
    amplitudes. `count` takes the first rows in the order of their ids; ids stay.
    """
    if count is not None and count > len(examples):
        raise ValueError(f"count must be at most {len(examples)}, the number of examples, got {count}")
    examples = examples.take(np.argsort(examples.example_ids)[:count])
    images = _scrambled(examples.images, generator)
    return derived(examples, images, "phase_scrambled", labels=no_classes(len(examples)))


def _scrambled(images: Array, generator: np.random.Generator) -> Array:
    """Return images (N, C, H, W) with every Fourier amplitude kept, not clipped.

    The added phases are those of white noise, so they have the symmetry of a real image. All channels get the same
    ones, which keeps their colour. The phase of the mean stays: adding pi to it would invert the image.
    """
    height, width = images.shape[-2:]
    noise = np.fft.rfft2(generator.standard_normal((len(images), 1, height, width)))
    noise[..., 0, 0] = 1
    return np.fft.irfft2(np.fft.rfft2(images.astype(np.float64)) * noise / np.abs(noise), s=(height, width))
