"""The basic iterative method."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend
from touchstone.adversary.goals import Goal
from touchstone.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def bim(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Return, per image, the highest cross-entropy point on a path of sign steps from the image itself, within `eps`.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. step_size None means
    2.5 * eps / steps. PGD without a random start; nothing is drawn. Kurakin et al. 2017, section 2.2, which returns
    the last point instead of the best one.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        goal = Goal(labels)
        loss = goal(model(images))
        size = resolve_step_size(step_size, eps, steps)
        return ascend(model, goal, Ball(images, eps), images, images, loss, steps=steps, step_size=size)[0]
