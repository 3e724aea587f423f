"""Gradient ascent with fixed steps, and the loop over goals and restarts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import keep_higher, logits_loss_and_gradient
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.contracts import Model

# (goal, best (N, ...), its value (N,)) -> the same two after one more run; +inf marks a row that is finished
Run = Callable[[Goal, Tensor, Tensor], tuple[Tensor, Tensor]]


def ascend(
    model: Model,
    goal: Goal,
    ball: Ball,
    start: Tensor,
    best: Tensor,
    best_value: Tensor,
    *,
    steps: int,
    step_size: float,
    stop_on_success: bool = False,
) -> tuple[Tensor, Tensor]:
    """Climb the loss of `goal` inside `ball` with steps of one size.

    Freeze the model before the call (`numerics.tensors.frozen`).

    Args:
        model: images to logits (N, K).
        goal: the value that each row raises.
        ball: the points that each row may reach.
        start: (N, C, H, W), the first point of each row.
        best: (N, C, H, W), the best point of each row so far.
        best_value: (N,), its `goal.value`; a row with +inf is finished and stays as it is.
        steps: number of gradient steps; the point after the last one is evaluated too.
        step_size: length of a step in the norm of the ball.
        stop_on_success: drop a row from the batch at its first misclassified point.

    Returns:
        The point with the highest `goal.value` of `best` and all points visited, (N, C, H, W), and that value (N,). With
        `stop_on_success`, a row that is misclassified returns that point with the value +inf.
    """
    finished, finished_value = best.clone(), best_value.clone()
    rows = torch.nonzero(best_value < torch.inf)[:, 0]
    points, best, best_value, goal, ball = start[rows], best[rows], best_value[rows], goal.take(rows), ball.take(rows)
    for step in range(steps + 1):
        if len(rows) == 0:
            break
        if step == steps:  # the last point is evaluated, but not moved
            with torch.no_grad():
                logits, gradient = model(points), points
                loss = goal(logits)
        else:
            logits, loss, gradient = logits_loss_and_gradient(model, goal, points)
        best, best_value = keep_higher(best, best_value, points, goal.value(logits, loss))
        if stop_on_success and len(won := torch.nonzero(goal.reached(logits))[:, 0]):
            finished[rows[won]], finished_value[rows[won]] = points[won], torch.inf
            left = torch.nonzero(~goal.reached(logits))[:, 0]  # an index by a mask would wait for a GPU
            rows, points, gradient, best, best_value = (x[left] for x in (rows, points, gradient, best, best_value))
            goal, ball = goal.take(left), ball.take(left)
        if step < steps:
            points = ball.step(points, gradient, step_size)
    finished[rows], finished_value[rows] = best, best_value
    return finished, finished_value


def ascend_each(
    goals: Sequence[Goal],
    run: Run,
    images: Tensor,
    logits: Tensor,
    *,
    restarts: int = 1,
    stop_on_success: bool = False,
) -> Tensor:
    """Run an attack `restarts` times per goal, and keep each image's strongest.

    Args:
        goals: one goal, or several that are run one after the other.
        run: one run of the attack, see `Run`.
        images: (N, C, H, W), the clean images.
        logits: (N, K), those of `images`.
        restarts: runs per goal.
        stop_on_success: skip an image once it is misclassified, be it unattacked or after a run.

    Returns:
        (N, C, H, W): per image, the point with the highest `Goal.value` of all runs; the image itself if none is higher.
    """
    finished = goals[0].reached(logits) & stop_on_success
    best, best_value = images, torch.where(finished, torch.inf, goals[0].value(logits))
    for goal in goals:
        for _ in range(restarts):
            best, best_value = run(goal, best, best_value)
    return best
