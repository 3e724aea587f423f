"""A shallow radial basis function network: confident only near its centres."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def shallow_rbf(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return log p_k = -sum over pixels of a_k (x - mu_k)^2 as logits.

    They are at most 0 and not normalised. The confidence of this network is exp(logit), not the softmax, which cannot
    fall below 1 / classes. Train it with `one_versus_rest` and read `logits.exp()`; the predicted class is the same.
    a_k > 0. The network has no linear layer, so it has no penultimate features.

    References:
        Goodfellow et al. 2015, section 7, is binary; the multi-class form is ours (docs/papers/fgsm.md, RBF
        networks).
    """
    return _ShallowRbf(math.prod(input_shape), classes)


class _ShallowRbf(nn.Module):
    def __init__(self, pixels: int, classes: int) -> None:
        super().__init__()
        self.centres = nn.Parameter(0.1 * torch.randn(classes, pixels))
        # The logarithm keeps a_k positive. log p starts near -1 on standardised images.
        self.log_precision = nn.Parameter(torch.full((classes, pixels), -math.log(pixels)))

    def forward(self, images: Tensor) -> Tensor:
        # Not expanded into matrix products: cancellation would let log p exceed 0.
        distances = (images.flatten(1)[:, None] - self.centres) ** 2
        return -(self.log_precision.exp() * distances).sum(2)
