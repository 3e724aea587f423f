"""Auto-PGD's ascent: an image's step size is halved when progress stalls.

On rough losses, such as behind a translator, it finds more than steps of a fixed size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import keep_higher, logits_loss_and_gradient
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.success import Success
from touchstone.contracts import Model
from touchstone.numerics.tensors import per_row


def ascend_with_step_halving(
    model: Model, goal: Goal, ball: Ball, start: Tensor, *, steps: int, success: Success | None = None
) -> tuple[Tensor, Tensor]:
    """Run Auto-PGD once: climb with momentum, and halve the step size at checkpoints.

    The step size starts at 2 * eps. At a checkpoint it is halved for an image in two cases: its loss rose in fewer
    than 75 % of the steps since the last checkpoint, or its step size and its best loss have not changed since.
    Such an image continues from its best point.

    Args:
        model: images to logits (N, K).
        goal: the value that each row raises.
        ball: the points that each row may reach.
        start: (N, C, H, W), the first point of each row.
        steps: number of gradient steps.
        success: at the first point for which it holds, a row is finished: it has the loss +inf, takes no more passes, and
            that point is returned. None never stops.

    Returns:
        The point with the highest `goal.value` of all visited, (N, C, H, W), and that value (N,), +inf for a finished row.

    References:
        Croce & Hein 2020, section 3 and algorithm 1.
    """

    def observe(points: Tensor, step: int) -> tuple[Tensor, Tensor, Tensor]:
        if step < steps:
            logits, loss, gradient = logits_loss_and_gradient(model, goal, points)
        else:  # nothing follows the gradient at the last point
            with torch.no_grad():
                logits, gradient = model(points), torch.zeros_like(points)
            loss = goal(logits)
        value = goal.value(logits, loss)
        if success is not None:
            over = success(goal, ball, points, logits)
            loss, value = torch.where(over, torch.inf, loss), torch.where(over, torch.inf, value)
        return loss, value, gradient

    rows = torch.arange(len(start), device=start.device)
    loss, value, gradient = observe(start, 0)
    returned, returned_value = start.clone(), torch.full_like(value, torch.inf)
    points, previous = start, start
    best, best_loss, best_gradient = start, loss, gradient
    kept, kept_value = start, value
    size = start.new_full((len(start),), 2 * ball.eps)  # the logits may have another dtype than the images
    last, best_at_last, halved = 0, loss, torch.ones_like(loss, dtype=torch.bool)
    rises = torch.zeros_like(loss)
    checkpoints = _checkpoints(steps)
    for step in range(1, steps + 1):
        if success is not None and len(over := torch.nonzero(torch.isposinf(best_loss))[:, 0]):
            returned[rows[over]] = kept[over]
            left = torch.nonzero(~torch.isposinf(best_loss))[:, 0]  # an index by a mask would wait for a GPU
            rows, goal, ball = rows[left], goal.take(left), ball.take(left)
            points, previous, gradient, loss, rises = (x[left] for x in (points, previous, gradient, loss, rises))
            best, best_loss, best_gradient = best[left], best_loss[left], best_gradient[left]
            kept, kept_value = kept[left], kept_value[left]
            size, best_at_last, halved = size[left], best_at_last[left], halved[left]
            if len(rows) == 0:
                break
        momentum = 0.25 if step > 1 else 0.0
        ahead = ball.step(points, gradient, per_row(size, points))
        moved = ball.project(points + (1 - momentum) * (ahead - points) + momentum * (points - previous))
        points, previous, loss_before = moved, points, loss
        loss, value, gradient = observe(points, step)
        rises = rises + (loss > loss_before)
        better = per_row(loss > best_loss, points)
        best_gradient = torch.where(better, gradient, best_gradient)
        best, best_loss = keep_higher(best, best_loss, points, loss)
        kept, kept_value = keep_higher(kept, kept_value, points, value)
        if step in checkpoints:
            rarely = rises < 0.75 * (step - last)
            stuck = ~halved & (best_loss == best_at_last)
            halved = rarely | stuck
            size = torch.where(halved, size / 2, size)
            back = per_row(halved, points)
            points, gradient = torch.where(back, best, points), torch.where(back, best_gradient, gradient)
            loss = torch.where(halved, best_loss, loss)
            last, best_at_last, rises = step, best_loss, torch.zeros_like(rises)
    returned[rows], returned_value[rows] = kept, kept_value
    return returned, returned_value


def _checkpoints(steps: int) -> list[int]:
    """Return the steps after which step sizes may be halved.

    The first is at 22 % of all steps; the others follow ever closer, at least 6 % apart.
    """
    before, share = 0.0, 0.22
    points = []
    while share <= 1:
        points.append(math.ceil(round(share * steps, 6)))
        before, share = share, share + max(share - before - 0.03, 0.06)
    return sorted(set(points))
