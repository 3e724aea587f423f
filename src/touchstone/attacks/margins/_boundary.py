"""Decision boundaries: whether a point has crossed, and the shortest crossing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Norm, shrink
from touchstone.contracts import Model
from touchstone.numerics.tensors import row_norms

SHORTEST = 1e-6  # of the first step, so that it leaves an image on a tie of logits


def predicted(model: Model, images: Tensor) -> Tensor:
    """Return the predicted classes of images, (N,) int64.

    Raises:
        ValueError: the model has fewer than two classes.
    """
    logits = model(images)
    if logits.shape[1] < 2:
        raise ValueError(f"a margin needs a model with at least 2 classes, got {logits.shape[1]}")
    return logits.argmax(1)


def largest(images: Tensor, norm: Norm) -> float:
    """Return the norm that no change inside [0, 1] exceeds."""
    return 1.0 if norm == "linf" else math.sqrt(images.shape[1:].numel())


def crossed(model: Model, points: Tensor, predictions: Tensor) -> Tensor:
    """Return whether another class is strictly ahead of the prediction, (N,) bool.

    A tie counts as not crossed, because it may go either way.
    """
    with torch.no_grad():
        return margin_loss(model(points), predictions) > 0


def cut_back(model: Model, images: Tensor, predictions: Tensor, change: Tensor, norm: Norm, rounds: int = 12) -> Tensor:
    """Bisect the norm of each change down to where images + change still crosses.

    A change that does not cross is returned unchanged. For L-inf the change is clamped, which leaves its smaller pixels
    as they are.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        predictions: (N,) int64, of the images.
        change: (N, C, H, W).
        norm: to shorten.
        rounds: of bisection.

    Returns:
        The shortened change, (N, C, H, W).
    """
    size = row_norms(change, norm)
    low, high = torch.zeros_like(size), torch.ones_like(size)
    for _ in range(rounds):
        middle = (low + high) / 2
        over = crossed(model, (images + shrink(change, middle * size, norm)).clamp(0, 1), predictions)
        low, high = torch.where(over, low, middle), torch.where(over, middle, high)
    return shrink(change, high * size, norm)


def verified(model: Model, images: Tensor, predictions: Tensor, change: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the norm of each change, and whether its point really crosses.

    Returns:
        (N,) norms, +inf if the point does not cross; and (N,) bool.
    """
    points = (images + change).clamp(0, 1)
    over = crossed(model, points, predictions)
    return torch.where(over, row_norms(points - images, norm), torch.inf), over
