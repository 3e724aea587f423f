"""The default classifier of the small studies: two strided convolutions and two linear layers."""

from __future__ import annotations

from typing import Literal

from torch import nn

from touchstone.contracts import PositiveInt


def small_cnn(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    width: PositiveInt = 16,
    hidden: PositiveInt = 128,
    activation: Literal["relu", "softplus"] = "relu",
) -> nn.Module:
    """Return two strided 3x3 convolutions, a hidden linear layer, logits.

    The convolutions have `width` and 2 `width` channels, and each halves the side (rounded up). Stride replaces
    pooling: as accurate on digits, and three times faster on a CPU. 207,000 weights at 1x28x28 with the defaults.
    `softplus` (beta 10) is the smooth replacement of ReLU that attacks with second derivatives need.
    """
    channels, height, side = input_shape
    flat = 2 * width * -(-height // 4) * -(-side // 4)

    def nonlinearity() -> nn.Module:
        return nn.ReLU() if activation == "relu" else nn.Softplus(beta=10)

    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2, padding=1),
        nonlinearity(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nonlinearity(),
        nn.Flatten(),
        nn.Linear(flat, hidden),
        nonlinearity(),
        nn.Linear(hidden, classes),
    )
