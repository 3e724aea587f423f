"""Auto-PGD: projected ascent with momentum whose step size halves where it stops paying."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from touchstone.ascent import ascend_each
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.goals import LOSSES, Goal, goals
from touchstone.losses import keep_higher, logits_loss_and_gradient
from touchstone.perturbations import Ball, check_inputs
from touchstone.tensors import Draws, frozen, per_row


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
            found = _run(model, *part, steps, stop_on_success)
            best[rows], best_loss[rows] = keep_higher(best[rows], best_loss[rows], *found)
            return best, best_loss

        aims = goals(target, LOSSES[loss], logits, labels, generator)
        return ascend_each(model, aims, run, images, logits, restarts=restarts, stop_on_success=stop_on_success)


def _checkpoints(steps: int) -> list[int]:
    """Return the steps at which step sizes are looked at: closer and closer, from 22 % to at least 6 % apart."""
    before, share = 0.0, 0.22
    points = []
    while share <= 1:
        points.append(math.ceil(round(share * steps, 6)))
        before, share = share, share + max(share - before - 0.03, 0.06)
    return sorted(set(points))


def _run(
    model: Model, goal: Goal, ball: Ball, start: Tensor, steps: int, stop_on_success: bool
) -> tuple[Tensor, Tensor]:
    """Return the highest-loss point of one run, (N, ...), and its loss (N,); +inf at a first success that stops."""

    def look(points: Tensor) -> tuple[Tensor, Tensor]:
        logits, loss, gradient = logits_loss_and_gradient(model, goal, points)
        return torch.where(goal.reached(logits) & stop_on_success, torch.inf, loss), gradient

    loss, gradient = look(start)
    points, previous = start, start
    best, best_loss, best_gradient = start, loss, gradient
    size = torch.full_like(loss, 2 * ball.eps)
    last, best_at_last, halved = 0, loss, torch.ones_like(loss, dtype=torch.bool)
    rises = torch.zeros_like(loss)
    checkpoints = _checkpoints(steps)
    for step in range(1, steps + 1):
        if bool(torch.isposinf(best_loss).all()):
            break
        momentum = 0.25 if step > 1 else 0.0
        ahead = ball.step(points, gradient, per_row(size, points))
        moved = ball.project(points + (1 - momentum) * (ahead - points) + momentum * (points - previous))
        points, previous, loss_before = moved, points, loss
        loss, gradient = look(points)
        rises = rises + (loss > loss_before)
        better = per_row(loss > best_loss, points)
        best_gradient = torch.where(better, gradient, best_gradient)
        best, best_loss = keep_higher(best, best_loss, points, loss)
        if step in checkpoints:
            rarely = rises < 0.75 * (step - last)
            stuck = ~halved & (best_loss == best_at_last)
            halved = rarely | stuck
            size = torch.where(halved, size / 2, size)
            back = per_row(halved, points)
            points, gradient = torch.where(back, best, points), torch.where(back, best_gradient, gradient)
            loss = torch.where(halved, best_loss, loss)
            last, best_at_last, rises = step, best_loss, torch.zeros_like(rises)
    return best, best_loss
