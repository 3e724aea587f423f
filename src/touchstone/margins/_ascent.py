"""The ascent that looks for a shorter crossing: within a radius, towards one class."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.adversary.losses import logits_loss_and_gradient, margin_loss
from touchstone.adversary.perturbations import Norm, shrink, unit_step
from touchstone.contracts import Model
from touchstone.numerics.tensors import per_row


def ascend(
    model: Model,
    images: Tensor,
    predictions: Tensor,
    target: Tensor,
    radius: Tensor,
    start: Tensor,
    steps: int,
    norm: Norm,
) -> Tensor:
    """Return the change within `radius` at which `target` leads by most; a change that crosses comes first."""

    def lead(logits: Tensor) -> Tensor:
        return (logits.gather(1, target[:, None]) - logits.gather(1, predictions[:, None]))[:, 0]

    def inside(moved: Tensor) -> Tensor:
        return (images + shrink(moved, radius, norm)).clamp(0, 1) - images

    change = previous = best = inside(start)
    best_value = torch.full_like(radius, -torch.inf)
    for step in range(steps + 1):
        logits, value, gradient = logits_loss_and_gradient(model, lead, images + change)
        value = torch.where(margin_loss(logits, predictions) > 0, value.clamp_min(0) + 1e6, value)
        better = value > best_value
        best, best_value = torch.where(per_row(better, best), change, best), torch.where(better, value, best_value)
        if step < steps:
            size = radius * (1 + math.cos(math.pi * step / steps)) / 2
            ahead = inside(change + per_row(size, change) * unit_step(gradient, norm))
            moved = inside(change + 0.75 * (ahead - change) + 0.25 * (change - previous))
            previous, change = change, moved
    return best
