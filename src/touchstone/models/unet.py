"""A U-Net of two levels that maps images to images: the translator of the small studies."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.contracts import PositiveInt


def unet(input_shape: tuple[int, int, int], *, filters: PositiveInt = 16) -> nn.Module:
    """Return a translator from images to images in [0, 1]: clip(images + correction).

    Two levels below full resolution, with `filters`, 2 `filters` and 4 `filters` channels, and skips between equal
    sizes. The correction starts at zero, so training starts at the identity. A clipped sum reaches every pixel value,
    0 and 1 included; the tanh of the published generator does not.

    References:
        docs/papers/translation.md, Deviations.
    """
    return _Unet(input_shape[0], filters)


def _block(channels: int, filters: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, filters, 3, stride=stride, padding=1), nn.ReLU())


class _Unet(nn.Module):
    def __init__(self, channels: int, filters: int) -> None:
        super().__init__()
        self.outer = _block(channels, filters)
        self.middle = _block(filters, 2 * filters, stride=2)
        self.inner = _block(2 * filters, 4 * filters, stride=2)
        self.up_middle = _block(6 * filters, filters)  # thin, because the next one runs at full resolution
        self.up_outer = _block(2 * filters, filters)
        self.correction = nn.Conv2d(filters, channels, 3, padding=1)
        nn.init.zeros_(self.correction.weight)
        nn.init.zeros_(self.correction.bias)  # type: ignore[arg-type]

    def forward(self, images: Tensor) -> Tensor:
        outer = self.outer(images)
        middle = self.middle(outer)
        inner = self.inner(middle)
        middle = self.up_middle(_concatenated(inner, middle))
        outer = self.up_outer(_concatenated(middle, outer))
        corrected: Tensor = (images + self.correction(outer)).clamp(0, 1)
        return corrected


def _concatenated(small: Tensor, large: Tensor) -> Tensor:
    """Return `small`, enlarged to the size of `large`, and `large` as channels of one tensor."""
    return torch.cat([functional.interpolate(small, size=large.shape[-2:], mode="nearest"), large], dim=1)
