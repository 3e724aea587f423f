"""The exact margins of a linear classifier: what every search for margins is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import Norm
from touchstone.attacks.margins._hyperplanes import smallest_change


def linear_margins(weights: Tensor, bias: Tensor, images: Tensor, norm: Norm = "linf") -> Tensor:
    """Return the exact distance (N,) from each image to another class of argmax(weights @ x + bias), inside [0, 1].

    weights (K, D), bias (K,), images (N, ...) with D pixels; computed in float64. +inf where no image of another class
    exists. Without the box this is min over j of (z_i - z_j) / ||w_i - w_j||_1, or ||.||_2 for L2
    (docs/papers/margin_consistency.md, Definitions).
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
