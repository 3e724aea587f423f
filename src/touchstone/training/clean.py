"""Plain training."""

from __future__ import annotations

from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams


def clean(model: Model, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    """Return the mean cross-entropy of the batch."""
    return cross_entropy(model(images), labels).mean()
