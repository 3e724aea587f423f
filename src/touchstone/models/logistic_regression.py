"""Logistic regression of two classes; its robust loss is known in closed form."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional


def logistic_regression(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the logits (0, w.x + b) with one weight vector, for two classes.

    Class 1 is y = +1 of the paper, so the cross-entropy of these logits is zeta(-y (w.x + b)). ValueError unless
    `classes` is 2.

    References:
        Goodfellow et al. 2015, section 5; docs/papers/fgsm.md, Linear models.
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
