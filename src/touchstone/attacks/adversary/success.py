"""When a search for misclassified points may stop."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.contracts import Model
from touchstone.numerics.tensors import to_grid_towards

# (goal, ball, points (N, C, H, W), their logits (N, K)) -> which rows need no further search, (N,) bool
Success = Callable[[Goal, Ball, Tensor, Tensor], Tensor]


def misclassified(goal: Goal, ball: Ball, points: Tensor, logits: Tensor) -> Tensor:
    """Return which points are misclassified, (N,) bool."""
    return goal.reached(logits)


def misclassified_on_grid(model: Model) -> Success:
    """Return the success of points that are misclassified, and still are when they are rounded to 8 bits.

    A study writes attacked images on the 1/255 grid, rounded towards the clean image. A point that is only just
    misclassified is often right again there. The rounded points take a forward pass of their own.
    """

    def success(goal: Goal, ball: Ball, points: Tensor, logits: Tensor) -> Tensor:
        reached = goal.reached(logits)
        rows = torch.nonzero(reached)[:, 0]
        if len(rows):
            with torch.no_grad():
                rounded = model(to_grid_towards(points[rows], ball.images[rows]))
            reached[rows] = goal.take(rows).reached(rounded)
        return reached

    return success
