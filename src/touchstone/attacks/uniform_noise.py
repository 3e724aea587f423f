"""Uniform noise within eps: the control that an attack must beat."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.goals import strongest
from touchstone.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def uniform_noise(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    draws: PositiveInt = 1,
) -> Tensor:
    """Return images + noise from U(-eps, eps), clipped to [0, 1]; of several draws the one with the highest margin loss.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. The control of
    Goodfellow et al. 2015, section 6; best of 100 draws: papers.md 6.6.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        ball, shape = Ball(images, eps), images.shape[1:]
        noise = (eps * (2 * generator.uniform(shape, images.dtype) - 1) for _ in range(draws))
        return strongest(model, labels, (ball.project(images + change) for change in noise))
