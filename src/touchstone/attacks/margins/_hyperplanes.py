"""The nearest point of a hyperplane inside [0, 1], exactly."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import Norm
from touchstone.numerics.tensors import row_norms


def dual_norms(slopes: Tensor, norm: Norm) -> Tensor:
    """Return the dual norm of each row of (N, ...), (N,): L1 for L-inf, L2 for L2."""
    return slopes.flatten(1).abs().sum(1) if norm == "linf" else row_norms(slopes, "l2")


def smallest_change(points: Tensor, slopes: Tensor, gaps: Tensor, norm: Norm = "linf") -> tuple[Tensor, Tensor]:
    """Return the smallest change inside [0, 1] that reaches <slopes, change> = gap.

    Every coordinate moves at its own speed (1 for L-inf, its slope for L2) until it reaches the border. One sort gives the
    time at which the gap is closed.

    Args:
        points: (N, ...) in [0, 1].
        slopes: (N, ...).
        gaps: (N,).
        norm: to be smallest.

    Returns:
        The change (N, ...) and its norm (N,). If a gap is 0 or less, both are 0. If the box is too small, the change goes
        to its corner and the norm is +inf.

    References:
        Croce & Hein 2020 (FAB), section 2.
    """
    position, slope = points.flatten(1), slopes.flatten(1)
    room = torch.where(slope > 0, 1 - position, position)
    weight = slope.abs()
    speed = weight if norm == "l2" else torch.ones_like(weight)
    stop = torch.where(weight > 0, room / speed.clamp_min(torch.finfo(weight.dtype).tiny), torch.inf)
    stop, order = stop.sort(1)
    gained = (weight * room).gather(1, order)
    rate = (weight * speed).gather(1, order)
    # Between two stops the gain is linear: stopped coordinates have gained their room, the others gain at their rate.
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
