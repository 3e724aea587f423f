"""The residual network of most adversarial training papers."""

from __future__ import annotations

from torch import nn

from touchstone.contracts import PositiveInt
from touchstone.models._residual import preact_network


def preact_resnet18(input_shape: tuple[int, int, int], classes: int, *, width: PositiveInt = 64) -> nn.Module:
    """Return four stages of two pre-activation blocks, without early pooling.

    The stages have 1, 2, 4 and 8 times `width` channels. 11,172,170 weights at 3x32x32 and 10 classes.

    References:
        He et al. 2016, in the form of Rice et al. 2020, which normalises once more before the mean.
    """
    return preact_network(input_shape[0], classes, width, [width, 2 * width, 4 * width, 8 * width], blocks=2)
