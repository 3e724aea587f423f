"""The architectures of RobustBench's model zoo with its names of weights, so that its files fit as they are.

Written from robustbench/model_zoo/architectures (commit 78fcc9e). Images are normalised before they arrive here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

# Activations are modules, because smooth surrogates of an adaptive attack replace modules.
Activation = Callable[[], nn.Module]
ACTIVATIONS: dict[str, Activation] = {"relu": nn.ReLU, "silu": nn.SiLU}


def _convolution(channels: int, filters: int, size: int, stride: int = 1, padding: int = 0) -> nn.Conv2d:
    return nn.Conv2d(channels, filters, size, stride=stride, padding=padding, bias=False)


class _WideBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv1 = _convolution(channels, filters, 3, stride, 1)
        self.bn2 = nn.BatchNorm2d(filters)
        self.conv2 = _convolution(filters, filters, 3, 1, 1)
        self.convShortcut = _convolution(channels, filters, 1, stride) if channels != filters else None

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.bn1(features))
        shortcut = features if self.convShortcut is None else self.convShortcut(active)
        outputs: Tensor = shortcut + self.conv2(self.relu(self.bn2(self.conv1(active))))
        return outputs


class _Group(nn.Module):
    """Blocks under the name that the file gives them: `layer` or `block`."""

    def __init__(self, name: str, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.add_module(name, nn.Sequential(*blocks))

    def forward(self, features: Tensor) -> Tensor:
        (blocks,) = self.children()
        outputs: Tensor = blocks(features)
        return outputs


def _stages(make: Callable[[int, int, int], nn.Module], widths: Sequence[int], counts: Sequence[int], stem: int,
            strides: Sequence[int]) -> list[list[nn.Module]]:  # fmt: skip
    """Return the blocks of each stage; the first of a stage changes the width and takes the stride."""
    stages, channels = [], stem
    for width, count, stride in zip(widths, counts, strides, strict=True):
        stages.append([make(channels, width, stride), *(make(width, width, 1) for _ in range(count - 1))])
        channels = width
    return stages


class _WideResNet(nn.Module):
    def __init__(self, classes: int, depth: int, width: int, standardise: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        widths = [16 * width, 32 * width, 64 * width]
        stages = _stages(_WideBlock, widths, [(depth - 4) // 6] * 3, 16, [1, 2, 2])
        self.standardise = standardise
        self.conv1 = _convolution(3, 16, 3, 1, 1)
        self.block1, self.block2, self.block3 = (_Group("layer", stage) for stage in stages)
        self.bn1 = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        if self.standardise:
            mean, std = images.mean((1, 2, 3), keepdim=True), images.std((1, 2, 3), keepdim=True)
            images = (images - mean) / torch.clamp_min(std, 1 / math.sqrt(images[0].numel()))
        features = self.block3(self.block2(self.block1(self.conv1(images))))
        logits: Tensor = self.fc(self.relu(self.bn1(features)).mean((2, 3)))
        return logits


def _padded(features: Tensor, stride: int) -> Tensor:
    """Pad as TensorFlow's SAME does."""
    return functional.pad(features, (1, 1, 1, 1) if stride == 1 else (0, 1, 0, 1))


class _DeepMindBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.stride, self.activation = stride, activation()
        self.batchnorm_0 = nn.BatchNorm2d(channels)
        self.conv_0 = _convolution(channels, filters, 3, stride)
        self.batchnorm_1 = nn.BatchNorm2d(filters)
        self.conv_1 = _convolution(filters, filters, 3, 1, 1)
        self.shortcut = _convolution(channels, filters, 1, stride) if channels != filters else None

    def forward(self, features: Tensor) -> Tensor:
        active = self.activation(self.batchnorm_0(features))
        shortcut = features if self.shortcut is None else self.shortcut(active)
        inner = self.activation(self.batchnorm_1(self.conv_0(_padded(active, self.stride))))
        outputs: Tensor = shortcut + self.conv_1(inner)
        return outputs


class _DeepMindWideResNet(nn.Module):
    def __init__(self, classes: int, depth: int, width: int, activation: Activation) -> None:
        super().__init__()
        widths = [16 * width, 32 * width, 64 * width]
        self.activation = activation()
        self.init_conv = _convolution(3, 16, 3, 1, 1)
        stages = _stages(partial(_DeepMindBlock, activation=activation), widths, [(depth - 4) // 6] * 3, 16, [1, 2, 2])
        self.layer = nn.Sequential(*(_Group("block", stage) for stage in stages))
        self.batchnorm = nn.BatchNorm2d(widths[-1])
        self.logits = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.activation(self.batchnorm(self.layer(self.init_conv(images))))
        logits: Tensor = self.logits(features.mean((2, 3)))
        return logits


class _DeepMindPreactBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, activation: Activation) -> None:
        super().__init__()
        self.stride, self.activation = stride, activation()
        self.batchnorm_0 = nn.BatchNorm2d(channels)
        self.conv_2d_1 = _convolution(channels, filters, 3, stride)
        self.batchnorm_1 = nn.BatchNorm2d(filters)
        self.conv_2d_2 = _convolution(filters, filters, 3, 1, 1)
        changes = stride != 1 or channels != filters
        self.shortcut = _convolution(channels, filters, 3, stride) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        active = self.activation(self.batchnorm_0(features))
        shortcut = features if self.shortcut is None else self.shortcut(_padded(features, self.stride))
        inner = self.conv_2d_1(_padded(active, self.stride))
        outputs: Tensor = shortcut + self.conv_2d_2(self.activation(self.batchnorm_1(inner)))
        return outputs


class _DeepMindPreactResNet(nn.Module):
    def __init__(self, classes: int, activation: Activation, width: int) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.activation = activation()
        self.conv_2d = _convolution(3, width, 3, 1, 1)
        stages = _stages(partial(_DeepMindPreactBlock, activation=activation), widths, [2] * 4, width, [1, 2, 2, 2])
        self.layer_0, self.layer_1, self.layer_2, self.layer_3 = (nn.Sequential(*stage) for stage in stages)
        self.batchnorm = nn.BatchNorm2d(widths[-1])
        self.logits = nn.Linear(widths[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.layer_3(self.layer_2(self.layer_1(self.layer_0(self.conv_2d(images)))))
        logits: Tensor = self.logits(self.activation(self.batchnorm(features)).mean((2, 3)))
        return logits


class _Bottleneck(nn.Module):
    """A block of three convolutions; `filters` counts its outputs, four times those inside."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        inside = filters // 4
        self.conv1, self.bn1 = _convolution(channels, inside, 1), nn.BatchNorm2d(inside)
        self.conv2, self.bn2 = _convolution(inside, inside, 3, stride, 1), nn.BatchNorm2d(inside)
        self.conv3, self.bn3 = _convolution(inside, filters, 1), nn.BatchNorm2d(filters)
        changes = stride != 1 or channels != filters
        self.shortcut = nn.Sequential(
            *([_convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters)] if changes else [])
        )

    def forward(self, features: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(features)))
        inner = self.relu(self.bn2(self.conv2(inner)))
        outputs: Tensor = self.relu(self.bn3(self.conv3(inner)) + self.shortcut(features))
        return outputs


class _BasicBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1, self.bn1 = _convolution(channels, filters, 3, stride, 1), nn.BatchNorm2d(filters)
        self.conv2, self.bn2 = _convolution(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters)
        changes = stride != 1 or channels != filters
        self.shortcut = nn.Sequential(
            *([_convolution(channels, filters, 1, stride), nn.BatchNorm2d(filters)] if changes else [])
        )

    def forward(self, features: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(features)))
        outputs: Tensor = self.relu(self.bn2(self.conv2(inner)) + self.shortcut(features))
        return outputs


class _PreactBlock(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int, active_shortcut: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.active_shortcut = active_shortcut
        self.bn1, self.conv1 = nn.BatchNorm2d(channels), _convolution(channels, filters, 3, stride, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(filters), _convolution(filters, filters, 3, 1, 1)
        changes = stride != 1 or channels != filters
        self.shortcut = nn.Sequential(*([_convolution(channels, filters, 1, stride)] if changes else []))

    def forward(self, features: Tensor) -> Tensor:
        active = self.relu(self.bn1(features))
        source = active if self.active_shortcut and len(self.shortcut) else features
        outputs: Tensor = self.shortcut(source) + self.conv2(self.relu(self.bn2(self.conv1(active))))
        return outputs


class _ResNet(nn.Module):
    """Four stages; the stem is normalised (`bn1`), or the end is (`bn`), or neither."""

    def __init__(self, stages: Sequence[Sequence[nn.Module]], stem: int, width: int, classes: int, norm: str) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.norm = norm
        self.conv1 = _convolution(3, stem, 3, 1, 1)
        self.layer1, self.layer2, self.layer3, self.layer4 = (nn.Sequential(*stage) for stage in stages)
        if norm:
            self.add_module(norm, nn.BatchNorm2d(stem if norm == "bn1" else width))
        self.linear = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.conv1(images)
        if self.norm == "bn1":
            features = self.relu(self.get_submodule("bn1")(features))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        if self.norm == "bn":
            features = self.relu(self.get_submodule("bn")(features))
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


def wide_resnet(classes: int, *, depth: int, width: int, standardise: bool = False) -> nn.Module:
    """Return the WRN of TRADES; `standardise` makes it that of MMA, which standardises each image."""
    return _WideResNet(classes, depth, width, standardise)


def dm_wide_resnet(classes: int, *, depth: int, width: int, activation: str) -> nn.Module:
    """Return DeepMind's WRN; `activation` is relu or silu (their Swish)."""
    return _DeepMindWideResNet(classes, depth, width, ACTIVATIONS[activation])


def dm_preact_resnet(classes: int, *, activation: str, width: int = 64) -> nn.Module:
    """Return DeepMind's pre-activation ResNet-18."""
    return _DeepMindPreactResNet(classes, ACTIVATIONS[activation], width)


def resnet(classes: int, *, block: str, blocks: Sequence[int], width: int = 64) -> nn.Module:
    """Return a ResNet for images of 32x32; `block` is basic or bottleneck."""
    make, wider = {"basic": (_BasicBlock, 1), "bottleneck": (_Bottleneck, 4)}[block]
    widths = [wider * width * 2**stage for stage in range(4)]
    return _ResNet(_stages(make, widths, blocks, width, [1, 2, 2, 2]), width, widths[-1], classes, "bn1")


def preact_resnet(
    classes: int, *, blocks: Sequence[int], active_shortcut: bool = False, last_norm: bool = False, width: int = 64
) -> nn.Module:
    """Return a pre-activation ResNet: shortcuts from activated features or not, a normalisation before the end or not."""
    widths = [width * 2**stage for stage in range(4)]
    stages = _stages(partial(_PreactBlock, active_shortcut=active_shortcut), widths, blocks, width, [1, 2, 2, 2])
    return _ResNet(stages, width, widths[-1], classes, "bn" if last_norm else "")
