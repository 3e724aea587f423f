"""The maxout network of the FGSM paper."""

from __future__ import annotations

import math

from torch import Tensor, nn

from touchstone.contracts import PositiveInt, UnitInterval


def maxout(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    units: PositiveInt = 240,
    layers: PositiveInt = 2,
    pieces: PositiveInt = 5,
    dropout: UnitInterval = 0.5,
    input_dropout: UnitInterval = 0.2,
) -> nn.Module:
    """Return fully connected maxout layers, then logits.

    Each of the `layers` layers has `units` units, and each unit is the maximum of `pieces` linear functions.

    References:
        Goodfellow et al. 2013, with the sizes of Goodfellow et al. 2015, section 6. The dropout rates are those of
        the former, because the latter states none (docs/papers/fgsm.md, Deviations).
    """
    sizes = [math.prod(input_shape)] + [units] * layers
    network: list[nn.Module] = [nn.Flatten(), nn.Dropout(input_dropout)]
    for size in sizes[:-1]:
        network += [_Maxout(size, units, pieces), nn.Dropout(dropout)]
    return nn.Sequential(*network, nn.Linear(units, classes))


class _Maxout(nn.Module):
    def __init__(self, size: int, units: int, pieces: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, units * pieces)
        self.pieces = pieces

    def forward(self, features: Tensor) -> Tensor:
        linear: Tensor = self.linear(features)
        return linear.view(len(features), -1, self.pieces).amax(2)
