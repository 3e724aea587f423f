"""Auto-PGD (APGD); attacks/adversary/apgd_step_halving.py halves the step size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.attacks.adversary.ascent import ascend_each
from touchstone.attacks.adversary.goals import LOSSES, Goal, goals
from touchstone.attacks.adversary.losses import keep_higher
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.attacks.adversary.success import misclassified
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def apgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 100,
    restarts: PositiveInt = 1,
    loss: Literal["cross_entropy", "dlr"] = "cross_entropy",
    target: Literal["none", "least_likely", "next", "each", "random"] = "none",
    norm: Literal["linf", "l2"] = "linf",
    stop_on_success: bool = False,
) -> Tensor:
    """Raise the loss within `eps` by Auto-PGD, which needs no step size.

    The step size starts at 2 * eps and is halved per image in `attacks/adversary/apgd_step_halving.py`.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for starts and random targets.
        eps: radius in pixel units of `norm`.
        steps: gradient steps per run.
        restarts: runs per goal, each from a new uniform start.
        loss: to be raised; with a target, that of the target class is lowered.
        target: the class to aim for; `each` runs every wrong class and keeps the point with the highest margin loss.
        norm: of the ball.
        stop_on_success: return the first misclassified point of a run, and skip that image in later runs. Use it only
            to measure robust accuracy, see `pgd`.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss of all visited, or with a single target the
        one where `loss` has come closest to it; the image itself only if none is higher.

    Raises:
        ValueError: the DLR loss has too few classes; it needs three, or four with a target.

    References:
        Croce & Hein 2020, algorithm 1.
    """
    with frozen(model), torch.no_grad():
        classes = check_inputs(model, images, labels)
        needed = 3 if target == "none" else 4
        if loss == "dlr" and classes < needed:
            raise ValueError(f"the dlr loss needs {needed} classes here, the model has {classes}")
        logits = model(images)
        ball = Ball(images, eps, norm)
        stop = misclassified if stop_on_success else None

        def run(goal: Goal, best: Tensor, best_value: Tensor) -> tuple[Tensor, Tensor]:
            start = ball.random(generator)
            rows = torch.nonzero(best_value < torch.inf)[:, 0]
            if len(rows) == 0:
                return best, best_value
            part = (goal.take(rows), ball.take(rows), start[rows])
            best, best_value = best.clone(), best_value.clone()
            highest = ascend_with_step_halving(model, *part, steps=steps, success=stop)
            best[rows], best_value[rows] = keep_higher(best[rows], best_value[rows], *highest)
            return best, best_value

        aims = goals(target, LOSSES[loss], logits, labels, generator)
        return ascend_each(aims, run, images, logits, restarts=restarts, stop_on_success=stop_on_success)
