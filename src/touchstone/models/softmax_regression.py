"""Softmax regression: the linear classifier; its adversarial examples are known in closed form."""

from __future__ import annotations

import math

from torch import nn


def softmax_regression(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return one linear layer from all pixels to the logits.

    Its penultimate features are the pixels.

    References:
        Goodfellow et al. 2015, section 4, the shallow softmax.
    """
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), classes))
