"""Training on noisy images: the control that adversarial training must beat."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from touchstone.adversary.losses import cross_entropy
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import Draws


def noise(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    kind: Literal["sign", "uniform"] = "sign",
    eps: UnitInterval = 0.25,
) -> Tensor:
    """Return the mean cross-entropy on images plus +-eps (`sign`) or U(-eps, eps) (`uniform`) per pixel, clipped.

    Goodfellow et al. 2015, section 6: the same budget as their attack, without its direction.
    """
    shape = images.shape[1:]
    draws = generator.signs(shape) if kind == "sign" else 2 * generator.uniform(shape) - 1
    return cross_entropy(model((images + eps * draws).clamp(0, 1)), labels).mean()
