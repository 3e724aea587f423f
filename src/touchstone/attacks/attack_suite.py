"""The attacks that a robust accuracy needs, each on the images that the ones before it have not fooled."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.adversary.goals import Goal
from touchstone.adversary.losses import dlr_loss, keep_higher, loss_and_input_gradient, margin_loss
from touchstone.adversary.perturbations import Ball, check_inputs
from touchstone.adversary.square_search import search_with_squares
from touchstone.adversary.success import misclassified_on_grid
from touchstone.contracts import Model, NonNegativeInt, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen

_DIVERSE_STEPS = 3  # towards a random direction of the logits; Tashiro et al. take two to ten


def attack_suite(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    restarts: PositiveInt = 7,
    restart_steps: PositiveInt = 15,
    queries: NonNegativeInt = 1500,
    norm: Literal["linf", "l2"] = "linf",
) -> Tensor:
    """Find out whether an image can be misclassified within `eps`, by different attacks one after the other.

    First Auto-PGD raises the cross-entropy from a uniform start. Then Auto-PGD raises the DLR loss (with two classes the
    margin loss) from `restarts` starts that differ in their logits: steps along a random direction of the logits lead there
    from a uniform point. Last, Square searches without gradients. An image is finished once it is misclassified and stays
    so on the 1/255 grid.

    An image that resists everything costs 1 + steps + restarts * (4 + restart_steps) gradients and `queries` forward
    passes.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: radius in pixel units of `norm`.
        steps: gradient steps on the cross-entropy.
        restarts: runs on the DLR loss.
        restart_steps: gradient steps of each of them.
        queries: of Square; 0 leaves it out. It is made for L-inf, so with L2 as many passes go into further restarts.
        norm: of the ball.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the first point that is misclassified on the grid, otherwise the point with the
        highest margin loss.

    References:
        Croce & Hein 2020 (AutoAttack), which takes five times the passes, see benchmarks/attack_strength.py; Tashiro et
        al. 2020 (output diversified initialisation).
    """
    with frozen(model), torch.no_grad():
        classes = check_inputs(model, images, labels)
        ball, success = Ball(images, eps, norm), misclassified_on_grid(model)
        best, loss = images, margin_loss(model(images), labels)
        second = dlr_loss if classes > 2 else margin_loss
        if norm == "l2":
            restarts, queries = restarts + queries // (2 * (_DIVERSE_STEPS + 1 + restart_steps)), 0
        for run in range(1 + restarts):
            start = ball.random(generator)
            rows = torch.nonzero(loss < torch.inf)[:, 0]
            if len(rows) == 0:
                return best
            part, start, goal = ball.take(rows), start[rows], Goal(labels[rows])
            if run:
                start, goal = _diverse(model, part, start, generator.take(rows), classes), Goal(labels[rows], second)
            length = restart_steps if run else steps
            found, found_loss = ascend_with_step_halving(model, goal, part, start, steps=length, success=success)
            margin = torch.where(torch.isposinf(found_loss), torch.inf, margin_loss(model(found), goal.labels))
            best, loss = best.clone(), loss.clone()
            best[rows], loss[rows] = keep_higher(best[rows], loss[rows], found, margin)
        if queries:
            best, _ = search_with_squares(model, labels, ball, generator, best, loss, queries=queries, success=success)
    return best


def _diverse(model: Model, ball: Ball, points: Tensor, generator: RandomStreams, classes: int) -> Tensor:
    """Return `points` after steps that move the logits along a random direction."""
    direction = 2 * generator.uniform((classes,), points.dtype) - 1
    for _ in range(_DIVERSE_STEPS):
        _, gradient = loss_and_input_gradient(lambda moved: (model(moved) * direction).sum(1), points)
        points = ball.step(points, gradient, ball.eps)
    return points
