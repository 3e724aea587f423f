"""The nearest point of a hyperplane inside [0, 1], exactly; and from it the exact margins of a linear classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import Norm
from touchstone.numerics.tensors import row_norms


def smallest_change(points: Tensor, slopes: Tensor, gaps: Tensor, norm: Norm = "linf") -> tuple[Tensor, Tensor]:
    """Return the smallest change (N, ...) with <slopes, change> = gap and points + change in [0, 1], and its norm (N,).

    points and slopes (N, ...), gaps (N,); where the gap is 0 or less the change is 0, where the box is too small it
    goes to the corner and the norm is +inf. Every coordinate moves at its own speed (1, or for L2 its slope) until it
    meets the border; the time at which the gap is closed comes from one sort. Croce & Hein 2020, section 2.
    """
    position, slope = points.flatten(1), slopes.flatten(1)
    room = torch.where(slope > 0, 1 - position, position)
    weight = slope.abs()
    speed = weight if norm == "l2" else torch.ones_like(weight)
    stop = torch.where(weight > 0, room / speed.clamp_min(torch.finfo(weight.dtype).tiny), torch.inf)
    stop, order = stop.sort(1)
    gained = (weight * room).gather(1, order)
    rate = (weight * speed).gather(1, order)
    # Between two stops the gain is linear: what has stopped has gained its room, the rest gains at its rate.
    stopped = gained.cumsum(1) - gained
    moving = rate.flip(1).cumsum(1).flip(1)
    at_stop = torch.where(moving > 0, stopped + stop * moving, stopped)
    first = (at_stop < gaps[:, None]).sum(1, keepdim=True)
    reachable = (first < at_stop.shape[1])[:, 0]
    first = first.clamp(max=at_stop.shape[1] - 1)
    left = (gaps[:, None] - stopped.gather(1, first)).clamp_min(0)
    time = left / moving.gather(1, first).clamp_min(torch.finfo(weight.dtype).tiny)
    moved = torch.where(weight > 0, torch.minimum(room, time * speed), 0) * slope.sign()
    return moved.view_as(points), torch.where(reachable, row_norms(moved, norm), torch.inf)


def linear_margins(weights: Tensor, bias: Tensor, images: Tensor, norm: Norm = "linf") -> Tensor:
    """Return the exact distance (N,) from each image to another class of argmax(weights @ x + bias), inside [0, 1].

    weights (K, D), bias (K,), images (N, ...) with D pixels; computed in float64. +inf where no image of another class
    exists. Without the box this is min over j of (z_i - z_j) / ||w_i - w_j||_1 (papers.md 3.i), or ||.||_2 for L2.
    """
    weights, flat = weights.double(), images.flatten(1).double()
    logits = flat @ weights.T + bias.double()
    own = logits.argmax(1)
    margins = torch.full_like(logits[:, 0], torch.inf)
    for other in range(len(weights)):
        gaps = logits.gather(1, own[:, None])[:, 0] - logits[:, other]
        _, distances = smallest_change(flat, weights[other] - weights[own], gaps, norm)
        margins = torch.where(own == other, margins, torch.minimum(margins, distances))
    return margins
