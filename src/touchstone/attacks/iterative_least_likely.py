"""The iterative least-likely class method."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal, least_likely
from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.attacks.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def iterative_least_likely(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Take sign steps that make the least likely class more probable.

    The target is the wrong class with the lowest logit of the clean image. Nothing is drawn.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        eps: L-inf radius in pixel units.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point on the path where the target is most probable.

    References:
        Kurakin et al. 2017, section 2.3.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        logits = model(images)
        goal = Goal(labels, cross_entropy, least_likely(logits, labels))
        size = resolve_step_size(step_size, eps, steps)
        return ascend(model, goal, Ball(images, eps), images, images, goal(logits), steps=steps, step_size=size)[0]
