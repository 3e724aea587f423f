"""A shallow radial basis function network: confident only near what it has seen."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def shallow_rbf(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return log p_k = -sum over pixels of a_k (x - mu_k)^2 as logits, at most 0 and not normalised; without settings.

    The confidence of this network is exp(logit) itself, not the softmax, which cannot fall below 1 / classes: train it
    with `one_versus_rest` and read `logits.exp()`. The class decided for is the same either way. a_k > 0.
    Goodfellow et al. 2015, section 7, is binary; this multi-class form is ours (papers.md 4.b, 4.g item 5).
    It has no linear layer, so no penultimate features.
    """
    return _ShallowRbf(math.prod(input_shape), classes)


class _ShallowRbf(nn.Module):
    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(0.1 * torch.randn(classes, pixels))
        # The logarithm keeps a_k positive. Starts at log p near -1 on standardised images.
        self.log_precision = nn.Parameter(torch.full((classes, pixels), -math.log(pixels)))

    def forward(self, images: Tensor) -> Tensor:
        # Not expanded into matrix products: cancellation would let log p exceed 0.
        distances = (images.flatten(1)[:, None] - self.centres) ** 2
        return -(self.log_precision.exp() * distances).sum(2)
