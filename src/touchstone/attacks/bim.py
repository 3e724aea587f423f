"""The basic iterative method (BIM)."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def bim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Take sign steps up the cross-entropy from the image itself.

    It is PGD without a random start. Nothing is drawn.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        eps: L-inf radius in pixel units.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point on the path with the highest margin loss.

    References:
        Kurakin et al. 2017, section 2.2. The paper returns the last point, not the best one.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        margin = margin_loss(model(images), labels)
        size = resolve_step_size(step_size, eps, steps)
        return ascend(
            model,
            Goal(labels, kept_by=margin_loss),
            Ball(images, eps),
            images,
            images,
            margin,
            steps=steps,
            step_size=size,
        )[0]
