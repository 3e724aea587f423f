"""The iterative least-likely class method."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend
from touchstone.adversary.goals import Goal, least_likely
from touchstone.adversary.losses import cross_entropy
from touchstone.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def iterative_least_likely(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Return, per image, the point within `eps` where sign steps made its least likely class most probable.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. step_size None means
    2.5 * eps / steps. The target is the class with the lowest logit of the unattacked image, never the label; nothing
    is drawn. Kurakin et al. 2017, section 2.3.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        logits = model(images)
        goal = Goal(labels, cross_entropy, least_likely(logits, labels))
        size = resolve_step_size(step_size, eps, steps)
        return ascend(model, goal, Ball(images, eps), images, images, goal(logits), steps=steps, step_size=size)[0]
