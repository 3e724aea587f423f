"""Translator training on noise: a baseline for attack-trained translators."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams


def denoising(
    model: Model, images: Tensor, labels: Tensor, generator: RandomStreams, *, eps: UnitInterval = 0.1
) -> Tensor:
    """Train a translator to remove uniform noise.

    If this does as well as an attack-trained translator, that one is generic denoising.

    Args:
        model: the translator, images to images, being trained.
        images: (N, C, H, W) in [0, 1].
        labels: not used.
        generator: random streams of the images, for the noise.
        eps: size of the noise U(-eps, eps) in pixel units.

    Returns:
        The mean over pixels of |model(noisy images) - images|.

    References:
        docs/papers/translation.md, "The experiment".
    """
    noisy = (images + eps * (2 * generator.uniform(images.shape[1:]) - 1)).clamp(0, 1)
    return (model(noisy) - images).abs().mean()
