"""The loop that the noise controls share: keep the worst of several noisy copies."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import strongest
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model
from touchstone.numerics.tensors import frozen


def worst_noise(
    model: Model, images: Tensor, labels: Tensor, unit_noise: Callable[[], Tensor], *, eps: float, draws: int
) -> Tensor:
    """Add noise `draws` times, and keep the copy with the highest margin loss.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        unit_noise: each call draws noise (N, C, H, W) in [-1, 1].
        eps: factor of the noise, in pixel units.
        draws: number of noisy copies of each image.

    Returns:
        (N, C, H, W) in [0, 1].
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        ball = Ball(images, eps)
        return strongest(model, labels, (ball.project(images + eps * unit_noise()) for _ in range(draws)))
