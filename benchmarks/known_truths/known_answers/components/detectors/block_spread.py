"""The squared distance of some pixels from 0.5, whose AUROC between Gaussian blocks is an F distribution's."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import NonNegativeInt, PositiveInt


def block_spread(images: Tensor, *, first: NonNegativeInt = 8, count: PositiveInt = 4) -> Tensor:
    """Return the sum of (pixel - 0.5) ** 2 over `count` pixels from pixel `first` on, (N,).

    Args:
        images: (N, C, H, W) in [0, 1].
        first: the first pixel, in row-major order.
        count: number of pixels.
    """
    return (images.flatten(1)[:, first : first + count] - 0.5).square().sum(1)
