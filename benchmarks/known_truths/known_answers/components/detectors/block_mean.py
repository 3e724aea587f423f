"""The mean of some pixels, whose AUROC between Gaussian blocks is a formula."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import NonNegativeInt, PositiveInt


def block_mean(images: Tensor, *, first: NonNegativeInt = 8, count: PositiveInt = 4) -> Tensor:
    """Return the mean of `count` pixels from pixel `first` on, (N,); brighter is more anomalous.

    Args:
        images: (N, C, H, W) in [0, 1].
        first: the first pixel, in row-major order.
        count: number of pixels.
    """
    return images.flatten(1)[:, first : first + count].mean(1)
