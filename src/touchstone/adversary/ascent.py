"""The loops of gradient ascent: over steps, and over goals and restarts around them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from touchstone.adversary.goals import Goal, strongest
from touchstone.adversary.losses import logits_loss_and_gradient
from touchstone.adversary.perturbations import Ball
from touchstone.contracts import Model
from touchstone.numerics.tensors import per_row

# (goal, best (N, ...), its loss (N,)) -> the same two after one more run; +inf marks a row that is finished
Run = Callable[[Goal, Tensor, Tensor], tuple[Tensor, Tensor]]


def ascend(
    model: Model,
    goal: Goal,
    ball: Ball,
    start: Tensor,
    best: Tensor,
    best_loss: Tensor,
    *,
    steps: int,
    step_size: float,
    stop_on_success: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return, per row, the better of `best` and the highest-loss point met in `steps` steps from `start`, and its loss.

    With `stop_on_success` a row leaves the batch at its first success, with that point and the loss +inf;
    rows that come with +inf are left as they are. The caller holds the model frozen.
    """
    best, best_loss = best.clone(), best_loss.clone()
    rows = torch.nonzero(best_loss < torch.inf)[:, 0]
    points, goal, ball = start[rows], goal.take(rows), ball.take(rows)
    for step in range(steps + 1):
        if len(rows) == 0:
            break
        if step == steps:  # the last point is only looked at
            with torch.no_grad():
                logits, gradient = model(points), points
                loss = goal(logits)
        else:
            logits, loss, gradient = logits_loss_and_gradient(model, goal, points)
        keep_better(best, best_loss, rows, points, loss)
        if stop_on_success and bool((won := goal.reached(logits)).any()):
            best[rows[won]], best_loss[rows[won]] = points[won], torch.inf
            rows, points, gradient = rows[~won], points[~won], gradient[~won]
            goal, ball = goal.take(~won), ball.take(~won)
        if step < steps:
            points = ball.step(points, gradient, step_size)
    return best, best_loss


def keep_better(best: Tensor, best_loss: Tensor, rows: Tensor, points: Tensor, loss: Tensor) -> None:
    """Write points and their losses into `best` and `best_loss` at the `rows` that they belong to, where higher."""
    better = loss > best_loss[rows]
    best[rows[better]], best_loss[rows[better]] = points[better], loss[better]


def ascend_each(
    model: Model,
    goals: Sequence[Goal],
    run: Run,
    images: Tensor,
    logits: Tensor,
    *,
    restarts: int = 1,
    stop_on_success: bool = False,
) -> Tensor:
    """Return the best of `restarts` runs per goal, and of several goals per row the one of highest margin loss.

    logits are those of `images`, which stay where nothing is higher. With `stop_on_success` a row that is misclassified,
    unattacked or after a run, is finished and comes to later runs with the loss +inf.
    """
    best, candidates = images, []
    finished = goals[0].reached(logits) & stop_on_success
    for goal in goals:
        best = torch.where(per_row(finished, images), best, images)
        best_loss = torch.where(finished, torch.inf, goal(logits))
        for _ in range(restarts):
            best, best_loss = run(goal, best, best_loss)
        finished = torch.isposinf(best_loss) & stop_on_success
        candidates.append(best)
    return strongest(model, goals[0].labels, candidates)
