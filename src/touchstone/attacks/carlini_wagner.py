"""The L2 attack of Carlini & Wagner: the smallest change that fools the model."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, PositiveInt
from touchstone.numerics.tensors import RandomStreams, frozen, per_row, row_norms

BUDGET = None  # the smallest L2 change, at any size


def carlini_wagner(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    steps: PositiveInt = 100,
    searches: PositiveInt = 6,
    initial_weight: PositiveFloat = 0.1,
    learning_rate: PositiveFloat = 0.05,
    confidence: NonNegativeFloat = 0.0,
) -> Tensor:
    """Find the nearest misclassified point in L2.

    Adam minimises ||x' - x||^2 + c max(z_label - max z_other, -confidence) over x' = (tanh w + 1) / 2, `searches`
    times. The weight c grows tenfold until the attack works, and is then bisected. Nothing is drawn.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        steps: points that Adam tries per search; the first is the start.
        searches: number of weights c that are tried.
        initial_weight: the first weight c.
        learning_rate: of Adam, on w.
        confidence: the margin in logits by which another class has to win.

    Returns:
        (N, C, H, W) in [0, 1]: the nearest point found, at any distance. An image that is misclassified by more than
        `confidence` already, or for which nothing is found, comes back unchanged.

    References:
        Carlini & Wagner 2017, section 5.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        done = margin_loss(model(images), labels) > confidence
        best, best_norm = images, torch.where(done, 0.0, torch.inf).to(images.dtype)
        low, high = torch.zeros_like(best_norm), torch.full_like(best_norm, torch.inf)
        weight = torch.full_like(best_norm, initial_weight)
        for _ in range(searches):
            points, size = _minimise(model, images, labels, weight, steps, learning_rate, confidence)
            closer = size < best_norm
            best, best_norm = torch.where(per_row(closer, best), points, best), torch.where(closer, size, best_norm)
            worked = torch.isfinite(size)
            low, high = torch.where(worked, low, weight), torch.where(worked, weight, high)
            weight = torch.where(torch.isinf(high), 10 * weight, (low + high) / 2)
        return best


def _minimise(
    model: Model,
    images: Tensor,
    labels: Tensor,
    weight: Tensor,
    steps: int,
    learning_rate: float,
    confidence: float,
) -> tuple[Tensor, Tensor]:
    """Return the nearest misclassified point of one descent, and its L2 distance.

    The distance (N,) is +inf if there is no such point.
    """
    # Strictly inside (-1, 1): at the ends the slope of tanh is 0 so black and white pixels could never move.
    tangent = torch.atanh((2 * images - 1) * (1 - 1e-4)).requires_grad_()
    optimiser = torch.optim.Adam([tangent], lr=learning_rate)
    best, best_norm = images, torch.full_like(weight, torch.inf)
    for _ in range(steps):
        with torch.enable_grad():
            points = (torch.tanh(tangent) + 1) / 2
            change = points - images
            margin = margin_loss(model(points), labels)
            cost = change.flatten(1).square().sum(1) + weight * (-margin).clamp_min(-confidence)
            (tangent.grad,) = torch.autograd.grad(cost.sum(), tangent)
        size = row_norms(change.detach(), "l2")
        closer = (margin.detach() > confidence) & (size < best_norm)
        best = torch.where(per_row(closer, best), points.detach(), best)
        best_norm = torch.where(closer, size, best_norm)
        optimiser.step()
    return best, best_norm
