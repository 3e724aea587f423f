"""Images with their patches in random order, as outliers for training."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import derived, no_classes
from touchstone.records.nouns import ExampleSet


def patch_shuffled(examples: ExampleSet, generator: np.random.Generator, *, patch: PositiveInt = 7) -> ExampleSet:
    """Return images with their square patches in a random order, labels -1.

    Each image has an order of its own. The pixels inside a patch of side `patch` stay as they are. ValueError if
    `patch` does not divide height and width, or leaves a single patch.
    """
    count, channels, height, width = examples.images.shape
    down, across = height // patch, width // patch
    if height % patch or width % patch or down * across < 2:
        raise ValueError(f"patch must divide the {height}x{width} images into at least 2 patches, got {patch}")
    pieces = examples.images.reshape(count, channels, down, patch, across, patch).transpose(0, 2, 4, 1, 3, 5)
    pieces = pieces.reshape(count, down * across, channels, patch, patch)
    order = generator.permuted(np.tile(np.arange(down * across), (count, 1)), axis=1)
    shuffled = np.take_along_axis(pieces, order[:, :, None, None, None], axis=1)
    shuffled = shuffled.reshape(count, down, across, channels, patch, patch).transpose(0, 3, 1, 4, 2, 5)
    images = shuffled.reshape(examples.images.shape)
    return derived(examples, images, "patch_shuffled", labels=no_classes(count), patch=patch)
