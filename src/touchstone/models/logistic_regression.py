"""Logistic regression of two classes, whose robust loss is known in closed form."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


def logistic_regression(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the logits (0, w.x + b) with one weight vector, without settings; ValueError unless `classes` is 2.

    Class 1 is y = +1 of Goodfellow et al. 2015, section 5 (papers.md 4.b): CE of these logits is zeta(-y (w.x + b)).
    """
    if classes != 2:
        raise ValueError(f"logistic_regression needs 2 classes, got {classes}")
    return _Logistic(math.prod(input_shape))


class _Logistic(nn.Module):
    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(pixels, 1)

    def forward(self, images: Tensor) -> Tensor:
        return functional.pad(self.linear(images.flatten(1)), (1, 0))
