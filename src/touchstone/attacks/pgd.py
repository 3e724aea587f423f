"""Projected gradient descent (PGD)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend, ascend_each
from touchstone.attacks.adversary.goals import LOSSES, Goal, goals
from touchstone.attacks.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
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
    """Raise the loss within `eps` by projected gradient descent.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for starts and random targets.
        eps: radius in pixel units of `norm`.
        steps: gradient steps per run.
        step_size: length of a step in the norm; None means 2.5 * eps / steps.
        restarts: runs per goal.
        loss: to be raised; with a target, that of the target class is lowered.
        target: the class to aim for; `each` runs every wrong class and keeps the point with the highest margin loss.
        norm: of the ball.
        random_start: start at a random point of the ball, not at the image.
        stop_on_success: return the first misclassified point of an image and drop it from the batch (the image itself
            if it is misclassified unattacked). It is faster, but only right for robust accuracy, and of images
            that are not rounded: 8 bits may undo a first success. Never use it for examples that are trained on, scored,
            transferred or translated.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss of all visited, or with a single target the
        one where `loss` has come closest to it; the image itself only if none is higher.

    Raises:
        ValueError: several restarts without a random start, which would all be the same run.

    References:
        Madry et al. 2018, section 2.1. Best iterate and defaults: docs/papers/shared.md, "Attack settings".
    """
    if restarts > 1 and not random_start:
        raise ValueError(
            "without random_start all restarts are the same run: set restarts to 1, or random_start to true"
        )
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        logits = model(images)
        ball = Ball(images, eps, norm)
        size = resolve_step_size(step_size, eps, steps)

        def run(goal: Goal, best: Tensor, best_value: Tensor) -> tuple[Tensor, Tensor]:
            start = ball.random(generator) if random_start else images
            return ascend(
                model, goal, ball, start, best, best_value,
                steps=steps, step_size=size, stop_on_success=stop_on_success,
            )  # fmt: skip

        aims = goals(target, LOSSES[loss], logits, labels, generator)
        return ascend_each(aims, run, images, logits, restarts=restarts, stop_on_success=stop_on_success)
