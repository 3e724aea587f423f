"""Projected gradient descent."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend, ascend_each
from touchstone.adversary.goals import LOSSES, Goal, goals
from touchstone.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    loss: Literal["cross_entropy", "margin"] = "cross_entropy",
    target: Literal["none", "least_likely", "next", "each", "random"] = "none",
    norm: Literal["linf", "l2"] = "linf",
    random_start: bool = True,
    stop_on_success: bool = False,
) -> Tensor:
    """Return, per image, the highest-loss point met within `eps`; the image itself only where nothing is higher.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. eps and step_size are in
    pixel units of the norm; step_size None means 2.5 * eps / steps. With a target the loss is minus that of the target
    class; `each` runs every wrong class and takes the one with the highest margin loss.
    `stop_on_success` drops an image from the batch at its first misclassified point and returns that point (the image
    itself where it is misclassified unattacked): faster, and right for robust accuracy alone. Never use it for
    examples that are trained on, scored, transferred or translated.
    Madry et al. 2018, section 2.1; best iterate and defaults: papers.md 6.6.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        logits = model(images)
        ball = Ball(images, eps, norm)
        size = resolve_step_size(step_size, eps, steps)

        def run(goal: Goal, best: Tensor, best_loss: Tensor) -> tuple[Tensor, Tensor]:
            start = ball.random(generator) if random_start else images
            return ascend(
                model, goal, ball, start, best, best_loss, steps=steps, step_size=size, stop_on_success=stop_on_success
            )

        aims = goals(target, LOSSES[loss], logits, labels, generator)
        return ascend_each(model, aims, run, images, logits, restarts=restarts, stop_on_success=stop_on_success)
