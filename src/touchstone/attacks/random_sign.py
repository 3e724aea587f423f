"""Random signs of size eps: the control that an attack must beat."""

from __future__ import annotations

from torch import Tensor

from touchstone.attacks._noise import worst_noise
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams


def random_sign(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    draws: PositiveInt = 1,
) -> Tensor:
    """Add +eps or -eps to every pixel, at random: the control that an attack must beat.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: size of the noise in pixel units.
        draws: number of noisy copies of each image.

    Returns:
        (N, C, H, W) in [0, 1]: of the noisy copies of each image, the one with the highest margin loss.

    References:
        Goodfellow et al. 2015, section 6, trains on noise of the same size as a control. Number of draws in the
        studies: docs/papers/shared.md, "Attack settings".
    """

    def unit_noise() -> Tensor:
        return generator.signs(images.shape[1:], images.dtype)

    return worst_noise(model, images, labels, unit_noise, eps=eps, draws=draws)
