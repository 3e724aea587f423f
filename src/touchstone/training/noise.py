"""Training on noisy images: the control that adversarial training must beat."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams


def noise(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    kind: Literal["sign", "uniform"] = "sign",
    eps: UnitInterval = 0.25,
) -> Tensor:
    """Train on images with noise of the attack's size, but without its direction.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        kind: "sign" adds +eps or -eps to each pixel, "uniform" adds U(-eps, eps).
        eps: size of the noise in pixel units.

    Returns:
        The mean cross-entropy on the noisy images, clipped to [0, 1].

    References:
        Goodfellow et al. 2015, section 6.
    """
    shape = images.shape[1:]
    draws = generator.signs(shape) if kind == "sign" else 2 * generator.uniform(shape) - 1
    return cross_entropy(model((images + eps * draws).clamp(0, 1)), labels).mean()
