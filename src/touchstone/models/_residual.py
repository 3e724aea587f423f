"""Residual networks that normalise before each convolution, for preact_resnet18 and wide_resnet."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class PreactBlock(nn.Module):
    """x + conv(relu(bn(conv(relu(bn(x)))))), a pre-activation residual block.

    If the shape changes, a 1x1 convolution of the activated x replaces x.

    References:
        He et al. 2016, "Identity mappings in deep residual networks"; the dropout is that of wide residual networks.
    """

    def __init__(self, channels: int, filters: int, stride: int, dropout: float) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.first_norm = nn.BatchNorm2d(channels)
        self.first = nn.Conv2d(channels, filters, 3, stride=stride, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(filters)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        changes = stride != 1 or channels != filters
        self.shortcut = nn.Conv2d(channels, filters, 1, stride=stride, bias=False) if changes else None

    def forward(self, features: Tensor) -> Tensor:
        """Return features (N, filters, H / stride, W / stride)."""
        active = self.relu(self.first_norm(features))
        shortcut = features if self.shortcut is None else self.shortcut(active)
        inner = self.relu(self.second_norm(self.first(active)))
        outputs: Tensor = shortcut + self.second(self.dropout(inner))
        return outputs


def preact_network(
    channels: int, classes: int, stem: int, widths: Sequence[int], blocks: int, dropout: float = 0.0
) -> nn.Sequential:
    """Return a residual network: stem, one stage per width, mean over space, logits.

    Args:
        channels: of the images.
        classes: number of logits.
        stem: channels of the first convolution.
        widths: channels of each stage. Every stage but the first halves the side.
        blocks: per stage.
        dropout: inside the blocks.
    """
    layers: list[nn.Module] = [nn.Conv2d(channels, stem, 3, padding=1, bias=False)]
    width = stem
    for stage, following in enumerate(widths):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            layers.append(PreactBlock(width, following, stride, dropout))
            width = following
    layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes)]
    network = nn.Sequential(*layers)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network
