"""The post-activation residual network of many RobustBench entries, with their weight names."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.contracts import PositiveInt


class _Block(nn.Module):
    """relu(shortcut(x) + bn(conv(relu(bn(conv(x)))))); the shortcut is a 1x1 convolution with bn if the shape changes."""

    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        changes = stride != 1 or channels != filters
        shortcut = [nn.Conv2d(channels, filters, 1, stride=stride, bias=False), nn.BatchNorm2d(filters)]
        self.shortcut = nn.Sequential(*(shortcut if changes else []))

    def forward(self, features: Tensor) -> Tensor:
        inner = self.relu(self.bn1(self.conv1(features)))
        outputs: Tensor = self.relu(self.bn2(self.conv2(inner)) + self.shortcut(features))
        return outputs


class _ResNet(nn.Module):
    def __init__(self, channels: int, classes: int, width: int) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv1 = nn.Conv2d(channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = nn.Sequential(_Block(width, width, 1), _Block(width, width, 1))
        self.layer2 = nn.Sequential(_Block(width, 2 * width, 2), _Block(2 * width, 2 * width, 1))
        self.layer3 = nn.Sequential(_Block(2 * width, 4 * width, 2), _Block(4 * width, 4 * width, 1))
        self.layer4 = nn.Sequential(_Block(4 * width, 8 * width, 2), _Block(8 * width, 8 * width, 1))
        self.linear = nn.Linear(8 * width, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.relu(self.bn1(self.conv1(images)))
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))
        logits: Tensor = self.linear(features.mean((2, 3)))
        return logits


def resnet18(input_shape: tuple[int, int, int], classes: int, *, width: PositiveInt = 64) -> nn.Module:
    """Return four stages of two residual blocks, without early pooling.

    The stages have 1, 2, 4 and 8 times `width` channels. 11,173,962 weights at 3x32x32 and 10 classes.

    References:
        He et al. 2016 for CIFAR. In RobustBench it is the ResNet18 of Addepalli2021Towards_RN18 (AD10 of Ngnawe et
        al. 2024) and others.
    """
    return _ResNet(input_shape[0], classes, width)
