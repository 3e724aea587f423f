"""The step that both searches share: an ascent towards one class that looks for a shorter crossing within a radius."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import logits_loss_and_gradient, margin_loss
from touchstone.attacks.adversary.perturbations import Norm, shrink, unit_step
from touchstone.attacks.margins._boundary import cut_back, verified
from touchstone.contracts import Model
from touchstone.numerics.tensors import per_row


def shorten(
    model: Model,
    images: Tensor,
    predictions: Tensor,
    target: Tensor,
    radius: Tensor,
    start: Tensor,
    best: Tensor,
    best_norm: Tensor,
    steps: int,
    norm: Norm,
) -> tuple[Tensor, Tensor]:
    """Ascend towards a class, and shorten what is found to the boundary.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        predictions: (N,) int64, of the images.
        target: (N,) int64, the class to reach.
        radius: (N,), the norm that the ascent keeps to.
        start: (N, C, H, W), the change that it starts from.
        best: (N, C, H, W), the smallest change so far.
        best_norm: (N,), its norm; +inf if there is none.
        steps: gradient steps.
        norm: of the distance.

    Returns:
        The smaller of the best change and the new one, (N, C, H, W), and its norm (N,).
    """
    change = _ascend(model, images, predictions, target, radius, start, steps, norm)
    change = cut_back(model, images, predictions, change, norm)
    size, _ = verified(model, images, predictions, change, norm)
    closer = size < best_norm
    return torch.where(per_row(closer, best), change, best), torch.where(closer, size, best_norm)


def _ascend(
    model: Model,
    images: Tensor,
    predictions: Tensor,
    target: Tensor,
    radius: Tensor,
    start: Tensor,
    steps: int,
    norm: Norm,
) -> Tensor:
    """Return the change within `radius` that crosses by most; if none does, the one at which `target` leads by most."""

    def lead(logits: Tensor) -> Tensor:
        return (logits.gather(1, target[:, None]) - logits.gather(1, predictions[:, None]))[:, 0]

    def inside(moved: Tensor) -> Tensor:
        return (images + shrink(moved, radius, norm)).clamp(0, 1) - images

    change = previous = best = inside(start)
    best_value, best_over = torch.full_like(radius, -torch.inf), torch.zeros_like(radius, dtype=torch.bool)
    for step in range(steps + 1):
        logits, value, gradient = logits_loss_and_gradient(model, lead, images + change)
        margin = margin_loss(logits, predictions)
        over, value = margin > 0, torch.where(margin > 0, margin, value)
        better = torch.where(over == best_over, value > best_value, over)
        best, best_value = torch.where(per_row(better, best), change, best), torch.where(better, value, best_value)
        best_over = best_over | over
        if step < steps:
            size = radius * (1 + math.cos(math.pi * step / steps)) / 2
            ahead = inside(change + per_row(size, change) * unit_step(gradient, norm))
            moved = inside(change + 0.75 * (ahead - change) + 0.25 * (change - previous))
            previous, change = change, moved
    return best
