"""Plain training on smoothed labels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams


def label_smoothing(
    model: Model, images: Tensor, labels: Tensor, generator: RandomStreams, *, smoothing: UnitInterval = 0.1
) -> Tensor:
    """Return the mean cross-entropy to (1 - smoothing) * one-hot + smoothing / K.

    It draws the logit margins of all training images towards one value, and so destroys their order.

    Raises:
        ValueError: smoothing is 1, so no label is left.

    References:
        Szegedy et al. 2016, section 7.
    """
    if smoothing >= 1:
        raise ValueError(f"smoothing must be < 1, got {smoothing:g}")
    return functional.cross_entropy(model(images), labels, label_smoothing=smoothing)
