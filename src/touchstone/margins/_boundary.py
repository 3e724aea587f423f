"""Where a network's prediction changes: whether a point has crossed, and how far a change can be cut back."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.losses import margin_loss
from touchstone.adversary.perturbations import Norm, shrink
from touchstone.contracts import Model
from touchstone.numerics.tensors import row_norms


def crossed(model: Model, points: Tensor, predictions: Tensor) -> Tensor:
    """Return where a class other than the prediction is strictly ahead, (N,) bool: a tie may go either way."""
    with torch.no_grad():
        return margin_loss(model(points), predictions) > 0


def cut_back(model: Model, images: Tensor, predictions: Tensor, change: Tensor, norm: Norm, rounds: int = 12) -> Tensor:
    """Return `change` (N, ...) with its norm bisected down to where images + change still crosses.

    A change that does not cross comes back as it is. Clamping for L-inf keeps the pixels that were never the largest.
    """
    size = row_norms(change, norm)
    low, high = torch.zeros_like(size), torch.ones_like(size)
    for _ in range(rounds):
        middle = (low + high) / 2
        over = crossed(model, (images + shrink(change, middle * size, norm)).clamp(0, 1), predictions)
        low, high = torch.where(over, low, middle), torch.where(over, middle, high)
    return shrink(change, high * size, norm)


def verified(model: Model, images: Tensor, predictions: Tensor, change: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the norm (N,) of each change whose point is seen to have crossed, +inf for the others, and which did."""
    points = (images + change).clamp(0, 1)
    over = crossed(model, points, predictions)
    return torch.where(over, row_norms(points - images, norm), torch.inf), over
