"""The densely connected network of the ALOE paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import PositiveInt, UnitInterval


def densenet_bc(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: PositiveInt = 100,
    growth: PositiveInt = 12,
    reduction: UnitInterval = 0.5,
) -> nn.Module:
    """Return a DenseNet-BC: three dense blocks of bottlenecks, with transitions.

    A transition is a 1x1 convolution to the share `reduction` of the channels, then a mean over 2x2 pixels. 769,162
    weights at 3x32x32 and 10 classes.

    Raises:
        ValueError: If `depth` is not 6 n + 4, or if a transition would leave no channel.

    References:
        Huang et al. 2017, section 3; docs/papers/aloe.md, Published settings.
    """
    count, rest = divmod(depth - 4, 6)
    if rest or count < 1:
        raise ValueError(f"depth must be 6 n + 4 with n at least 1, got {depth}")
    width = 2 * growth
    layers: list[nn.Module] = [nn.Conv2d(input_shape[0], width, 3, padding=1, bias=False)]
    for block in range(3):
        if block > 0:
            reduced = int(width * reduction)
            if reduced < 1:
                raise ValueError(f"reduction must leave at least one channel, got {reduction}")
            layers += [_Normalised(width, reduced, 1), nn.AvgPool2d(2)]
            width = reduced
        for _ in range(count):
            layers.append(_Bottleneck(width, growth))
            width += growth
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)]
    network = nn.Sequential(*layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


class _Normalised(nn.Module):
    """Batch norm, ReLU, then a convolution that keeps the side."""

    def __init__(self, channels: int, filters: int, kernel: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.activation = nn.ReLU()  # a module, so that attacks can replace it by a surrogate
        self.convolution = nn.Conv2d(channels, filters, kernel, padding=kernel // 2, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        convolved: Tensor = self.convolution(self.activation(self.norm(features)))
        return convolved


class _Bottleneck(nn.Module):
    """The input concatenated with `growth` new channels."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.new = nn.Sequential(_Normalised(channels, 4 * growth, 1), _Normalised(4 * growth, growth, 3))

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([features, self.new(features)], dim=1)
