"""The search for wrong points with the lowest scores, which get past every threshold that any wrong point gets past."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from touchstone.attacks.adversary.evasion import Defended, Direction, Observation, follow, lower_or_raise, observe
from touchstone.attacks.adversary.losses import LossOfLogits, cross_entropy, keep_higher, margin_loss
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.numerics.tensors import RandomStreams, frozen


def lower_scores(
    defence: Defended,
    ball: Ball,
    labels: Tensor,
    generator: RandomStreams,
    directions: Sequence[Direction],
    *,
    steps: int,
    step_size: float | None = None,
    restarts: int = 1,
    loss: LossOfLogits = cross_entropy,
) -> Tensor:
    """Follow each direction from several starts, and keep the best points by `rank`.

    The defence sees points as `ball.stored` returns them, in a study rounded to 8 bits: a point that is only just wrong is
    often right again when it is rounded. It differs from `evasion.evade` in two ways. Steps shrink linearly to 0, because
    steps of one length circle the border between right and wrong, where the lowest scores are. And the lowest score is the
    best, not the widest margin below one threshold.

    Args:
        defence: the target.
        ball: the points that each row may reach.
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        directions: each maps an observation to a step direction (N, C, H, W).
        steps: gradient steps per start.
        step_size: length of the middle step; None means 2.5 * ball.eps / steps.
        restarts: starts per direction; the first is the image itself, the others are uniform points of the ball.
        loss: of logits and labels; its gradient leads to a wrong class.

    Returns:
        (N, C, H, W) in [0, 1]: the best of the images and all stored points.
    """
    size = resolve_step_size(step_size, ball.eps, steps)
    sizes = [2 * size * (1 - step / steps) for step in range(steps)]

    def observed(points: Tensor) -> Observation:
        return observe(defence, points, labels, loss)

    with frozen(defence.model):
        return follow(observed, rank, ball, generator, directions, sizes=sizes, restarts=restarts)


def lowest_of(defence: Defended, images: Tensor, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return the best of each image and its candidates by `rank`, (N, C, H, W), from forward passes only."""
    best, best_rank = images, rank_at(defence, images, labels)
    for points in candidates:
        new_rank = rank_at(defence, points, labels)
        best, best_rank = keep_higher(best, best_rank, points, new_rank)
    return best


def selective(observation: Observation) -> Tensor:
    """Return the direction that raises the loss of a right point, and lowers the score of a wrong one."""
    return lower_or_raise(observation, observation.wrong)


def rank(margin: Tensor, excess: Tensor) -> Tensor:
    """Return the rank of a point, (N,): higher is better for the attacker.

    Wrong points rank above 0, the lower their score the higher, and at least 1 exactly if they are not flagged. Points that
    are still right rank at most 0, the nearest to being wrong first. Nothing saturates, or the search with squares would be
    lost on confident rows.

    Args:
        margin: (N,), margin loss; above 0 exactly if the prediction is wrong.
        excess: (N,), score minus threshold, in units of the detector's spread.
    """
    return torch.where(margin > 0, torch.where(excess > 0, 1 / (2 + excess), 1 - excess), margin)


def rank_at(defence: Defended, points: Tensor, labels: Tensor) -> Tensor:
    """Return the rank of points (N, C, H, W) of a defence, (N,), from a forward pass; at least 1 if they get past it."""
    with torch.no_grad():
        logits, scores = defence.read(points)
    return rank(margin_loss(logits, labels), (scores - defence.threshold) / defence.spread)
