"""The wide residual network of Ding et al. 2020 (MMA) as in RobustBench: it standardises each image."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from touchstone.contracts import PositiveInt


class _Block(nn.Module):
    """x + conv(relu(bn(conv(relu(bn(x)))))); if the channels change, a 1x1 convolution of the activated x replaces x."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        changes = channels != filters
        self.convShortcut = nn.Conv2d(channels, filters, 1, stride=stride, bias=False) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.bn1(features))
        shortcut = features if self.convShortcut is None else self.convShortcut(active)
        outputs: Tensor = shortcut + self.conv2(self.relu(self.bn2(self.conv1(active))))
        return outputs


class _Stage(nn.Module):
    def __init__(self, channels: int, filters: int, blocks: int, stride: int) -> None:
        super().__init__()
        later = (_Block(filters, filters, 1) for _ in range(blocks - 1))
        self.layer = nn.Sequential(_Block(channels, filters, stride), *later)

    def forward(self, features: Tensor) -> Tensor:
        outputs: Tensor = self.layer(features)
        return outputs


class _WideResNet(nn.Module):
    def __init__(self, channels: int, classes: int, blocks: int, width: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, 16, 3, padding=1, bias=False)
        self.block1 = _Stage(16, 16 * width, blocks, 1)
        self.block2 = _Stage(16 * width, 32 * width, blocks, 2)
        self.block3 = _Stage(32 * width, 64 * width, blocks, 2)
        self.bn1 = nn.BatchNorm2d(64 * width)
        self.fc = nn.Linear(64 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        mean, std = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
        least = 1 / math.sqrt(images.shape[1:].numel())
        features = self.conv1((images - mean) / torch.clamp_min(std, least))
        features = self.relu(self.bn1(self.block3(self.block2(self.block1(features)))))
        logits: Tensor = self.fc(features.mean((2, 3)))
        return logits


def standardising_wide_resnet(
    input_shape: tuple[int, int, int], classes: int, *, depth: PositiveInt = 28, width: PositiveInt = 4
) -> nn.Module:
    """Return WRN-`depth`-`width`, which standardises each image first.

    (image - its mean) / max(its std, 1 / sqrt(its number of values)). The weights have the names of RobustBench's
    Ding2020MMA (DI0 of Ngnawe et al. 2024). ValueError unless `depth` is 6 n + 4.
    """
    blocks, rest = divmod(depth - 4, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 4 with n at least 1, got {depth}")
    return _WideResNet(input_shape[0], classes, blocks, width)
