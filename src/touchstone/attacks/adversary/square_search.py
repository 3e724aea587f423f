"""The Square attack's random search with square patches, from forward passes only."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.success import Success
from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams

# The share of the image that a square covers, and the queries out of 10,000 after which it halves (the paper, section 5.1).
_FIRST_SHARE = 0.8
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def search_with_squares(
    model: Model,
    labels: Tensor,
    ball: Ball,
    generator: RandomStreams,
    best: Tensor,
    best_loss: Tensor,
    *,
    queries: int,
    success: Success | None = None,
) -> tuple[Tensor, Tensor]:
    """Raise the margin loss by random search with square patches.

    Args:
        model: images to logits (N, K).
        labels: (N,) int64, the true classes.
        ball: the L-inf ball of each image.
        generator: random streams of the images.
        best: (N, C, H, W), the best point of each row so far.
        best_loss: (N,), its margin loss; a row with +inf is finished and stays as it is.
        queries: forward passes per image.
        success: an image is finished at the first point for which it holds, with the loss +inf; None finishes none.

    Returns:
        The point of a finished image, otherwise the better of `best` and the point with the highest margin loss,
        (N, C, H, W), and its loss (N,).

    References:
        Andriushchenko et al. 2020, algorithms 1 and 2 (L-inf), with squares placed per image.
    """
    best, best_loss = best.clone(), best_loss.clone()
    rows = torch.nonzero(best_loss < torch.inf)[:, 0]
    if len(rows) == 0:
        return best, best_loss
    ball, goal, generator = ball.take(rows), Goal(labels[rows]), generator.take(rows)
    channels, height, width = best.shape[1:]
    # Vertical stripes first; the search starts from them even if they are worse than the image.
    points = ball.project(ball.images + ball.eps * generator.signs((channels, 1, width), best.dtype))
    loss = torch.full_like(best_loss[rows], -torch.inf)
    for query in range(queries):
        tried = points
        if query > 0:
            side = _side(query, queries, height, width)
            change = 2 * ball.eps * _squares(generator, channels, height, width, side, best.dtype)
            tried = ball.project(points + change)
        logits = model(tried)
        tried_loss = margin_loss(logits, goal.labels)
        higher, improved = tried_loss > loss, tried_loss > best_loss[rows]
        points[higher], loss[higher] = tried[higher], tried_loss[higher]
        best[rows[improved]], best_loss[rows[improved]] = tried[improved], tried_loss[improved]
        if success is not None and len(wrong := torch.nonzero(tried_loss > 0)[:, 0]):
            # Not only where the loss rises: the wrong point of a higher loss may be right on the 8-bit grid.
            over = torch.zeros_like(higher)
            over[wrong] = success(goal.take(wrong), ball.take(wrong), tried[wrong], logits[wrong])
            best[rows[over]], best_loss[rows[over]] = tried[over], torch.inf
            left = ~over
            rows, points, loss, generator = rows[left], points[left], loss[left], generator.take(left)
            ball, goal = ball.take(left), goal.take(left)
            if len(rows) == 0:
                break
    return best, best_loss


def _side(query: int, queries: int, height: int, width: int) -> int:
    """Return the side of the squares of one query, from 1 to the image's shorter side."""
    share = _FIRST_SHARE / 2.0 ** sum(query * 10000 // queries > halving for halving in _HALVINGS)
    return min(max(round(math.sqrt(share * height * width)), 1), height, width)


def _squares(generator: RandomStreams, channels: int, height: int, width: int, side: int, dtype: torch.dtype) -> Tensor:
    """Return (N, C, H, W): one sign per channel inside a square of each image, 0 outside."""
    inside = []
    for length in (height, width):
        first = generator.integers(length - side + 1)[:, None]
        place = torch.arange(length, device=first.device)
        inside.append((place >= first) & (place < first + side))
    window = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return generator.signs((channels, 1, 1), dtype) * window
