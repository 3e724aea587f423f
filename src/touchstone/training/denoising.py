"""Translator training without an attack: the baseline that an attack-trained translator must beat."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import Draws


def denoising(model: Model, images: Tensor, labels: Tensor, generator: Draws, *, eps: UnitInterval = 0.1) -> Tensor:
    """Return the mean over pixels of |model(noisy images) - images|, with U(-eps, eps) noise per pixel, clipped.

    papers.md 5.h, S4-10: what does as well as this is generic denoising.
    """
    noisy = (images + eps * (2 * generator.uniform(images.shape[1:]) - 1)).clamp(0, 1)
    return (model(noisy) - images).abs().mean()
