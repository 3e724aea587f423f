"""The nearest point of a hyperplane inside [0, 1], exactly; and from it the exact margins of a linear classifier."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import Norm
from touchstone.numerics.tensors import row_norms


def dual_norms(slopes: Tensor, norm: Norm) -> Tensor:
    """Return the dual norm of each row of (N, ...), (N,): L1 for L-inf, L2 for L2."""
    return slopes.flatten(1).abs().sum(1) if norm == "linf" else row_norms(slopes, "l2")


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
