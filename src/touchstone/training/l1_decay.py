"""Weight decay by absolute values: what adversarial training of a linear model resembles, and is not."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.adversary.losses import cross_entropy
from touchstone.contracts import NonNegativeFloat
from touchstone.numerics.tensors import Draws


def l1_decay(
    model: nn.Module, images: Tensor, labels: Tensor, generator: Draws, *, weight: NonNegativeFloat = 0.0025
) -> Tensor:
    """Return the mean cross-entropy plus `weight` times the sum of |w| over the weights of the first layer.

    Goodfellow et al. 2015, section 5; the first layer is the first linear or convolutional one in module order.
    Unlike the adversarial objective, the penalty does not fade when examples are classified with a margin.
    """
    first = next((module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)), None)
    if first is None:
        raise ValueError("l1_decay needs a network with a linear or convolutional layer")
    return cross_entropy(model(images), labels).mean() + weight * first.weight.abs().sum()
