"""Wide residual networks."""

from __future__ import annotations

from torch import nn

from touchstone.contracts import PositiveInt, UnitInterval
from touchstone.models._residual import preact_network


def wide_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: PositiveInt = 28,
    width: PositiveInt = 10,
    dropout: UnitInterval = 0.0,
) -> nn.Module:
    """Return WRN-`depth`-`width`.

    Three stages of 16, 32 and 64 times `width` channels. 36,479,194 weights at 3x32x32 and 10 classes. ValueError
    unless `depth` is 6 n + 4.

    References:
        Zagoruyko & Komodakis 2016, table 1.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 4 with n at least 1, got {depth}")
    return preact_network(input_shape[0], classes, 16, [16 * width, 32 * width, 64 * width], blocks, dropout)
