"""ODIN's two parts: the direction of its step, and the score of the images that took it."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.losses import cross_entropy, loss_and_input_gradient
from touchstone.contracts import Model


def direction(model: Model, images: Tensor, temperature: float) -> Tensor:
    """Return the sign of the gradient of the cross-entropy of f(x) / T with its own prediction, (N, C, H, W)."""

    def loss(candidates: Tensor) -> Tensor:
        logits = model(candidates) / temperature
        return cross_entropy(logits, logits.argmax(1))

    return loss_and_input_gradient(loss, images)[1].sign()


def softmax_score(model: Model, images: Tensor, temperature: float) -> Tensor:
    """Return minus the largest softmax(f(x) / T) per image, (N,)."""
    return -(model(images) / temperature).softmax(dim=1).amax(dim=1)
