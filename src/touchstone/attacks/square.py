"""The Square attack: random search with square patches, from forward passes only."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.adversary.losses import margin_loss
from touchstone.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen

# The share of the image that a square covers, and the queries out of 10,000 after which it halves (the paper, section 5.1).
_FIRST_SHARE = 0.8
_HALVINGS = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)


def square(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    queries: PositiveInt = 1000,
    stop_on_success: bool = False,
) -> Tensor:
    """Raise the margin loss by random search with square patches.

    It takes `queries` forward passes per image and no gradient.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: L-inf radius in pixel units.
        queries: forward passes per image.
        stop_on_success: drop an image at its first misclassified point. It is faster, but only right for robust accuracy.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss; the image only if none is higher.

    References:
        Andriushchenko et al. 2020, algorithms 1 and 2 (L-inf), with squares placed per image.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        best, best_loss = images.clone(), margin_loss(model(images), labels)
        channels, height, width = images.shape[1:]
        ball = Ball(images, eps)
        # Vertical stripes first; the search starts from them even if they are worse than the image.
        stripes = ball.project(images + eps * generator.signs((channels, 1, width), images.dtype))
        loss = margin_loss(model(stripes), labels)
        rows = torch.arange(len(images), device=images.device)
        points = stripes
        for query in range(1, queries):
            improved = loss > best_loss[rows]
            best[rows[improved]], best_loss[rows[improved]] = points[improved], loss[improved]
            if stop_on_success:
                open_ = best_loss[rows] <= 0
                rows, points, loss, generator = rows[open_], points[open_], loss[open_], generator.take(open_)
                ball = ball.take(open_)
                if len(rows) == 0:
                    break
            side = _side(query, queries, height, width)
            change = 2 * eps * _squares(generator, channels, height, width, side, images.dtype)
            tried = ball.project(points + change)
            tried_loss = margin_loss(model(tried), labels[rows])
            higher = tried_loss > loss
            points[higher], loss[higher] = tried[higher], tried_loss[higher]
        improved = loss > best_loss[rows]
        best[rows[improved]] = points[improved]
    return best


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
