"""L1 weight decay, which resembles adversarial training of a linear model."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.adversary.losses import cross_entropy
from touchstone.contracts import NonNegativeFloat
from touchstone.numerics.tensors import RandomStreams


def l1_decay(
    model: nn.Module, images: Tensor, labels: Tensor, generator: RandomStreams, *, weight: NonNegativeFloat = 0.0025
) -> Tensor:
    """Penalise the absolute weights of the first layer.

    The first layer is the first linear or convolutional one in module order. Unlike the adversarial objective, the penalty
    does not fade once examples are classified with a margin.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        weight: of the penalty.

    Returns:
        The mean cross-entropy plus `weight` times the sum of |w|.

    Raises:
        ValueError: the network has no such layer.

    References:
        Goodfellow et al. 2015, section 5.
    """
    first = next((module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)), None)
    if first is None:
        raise ValueError("l1_decay needs a network with a linear or convolutional layer")
    return cross_entropy(model(images), labels).mean() + weight * first.weight.abs().sum()
