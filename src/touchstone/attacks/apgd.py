"""Auto-PGD: projected ascent with momentum whose step size halves where it stops paying."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.adversary.ascent import ascend_each
from touchstone.adversary.goals import LOSSES, Goal, goals
from touchstone.adversary.losses import keep_higher
from touchstone.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def apgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 100,
    restarts: PositiveInt = 1,
    loss: Literal["cross_entropy", "dlr"] = "cross_entropy",
    target: Literal["none", "least_likely", "next", "each", "random"] = "none",
    norm: Literal["linf", "l2"] = "linf",
    stop_on_success: bool = False,
) -> Tensor:
    """Return, per image, the highest-loss point met within `eps`; the image itself only where nothing is higher.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. There is no step size to
    choose: it starts at 2 * eps and is halved per image at checkpoints. With a target the loss is that of the target
    class; `each` runs every wrong class and takes the one with the highest margin loss. The DLR loss needs three
    classes, four with a target: else ValueError. `stop_on_success` returns the first misclassified point that a run met
    and starts no further run on that image: right for robust accuracy alone, see pgd. Croce & Hein 2020, algorithm 1.
    """
    with frozen(model), torch.no_grad():
        classes = check_inputs(model, images, labels)
        needed = 3 if target == "none" else 4
        if loss == "dlr" and classes < needed:
            raise ValueError(f"the dlr loss needs {needed} classes here, the model has {classes}")
        logits = model(images)
        ball = Ball(images, eps, norm)

        def run(goal: Goal, best: Tensor, best_loss: Tensor) -> tuple[Tensor, Tensor]:
            start = ball.random(generator)
            rows = torch.nonzero(best_loss < torch.inf)[:, 0]
            if len(rows) == 0:
                return best, best_loss
            part = (goal.take(rows), ball.take(rows), start[rows])
            best, best_loss = best.clone(), best_loss.clone()
            highest = ascend_with_step_halving(model, *part, steps=steps, stop_on_success=stop_on_success)
            best[rows], best_loss[rows] = keep_higher(best[rows], best_loss[rows], *highest)
            return best, best_loss

        aims = goals(target, LOSSES[loss], logits, labels, generator)
        return ascend_each(model, aims, run, images, logits, restarts=restarts, stop_on_success=stop_on_success)
