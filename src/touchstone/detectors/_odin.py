"""ODIN's parts: the direction of its step, the score of the images that took it, and both together."""

from __future__ import annotations

from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy, loss_and_input_gradient
from touchstone.contracts import Model
from touchstone.detectors._input_steps import stepped


def direction(model: Model, images: Tensor, temperature: float) -> Tensor:
    """Return the sign of the gradient of the cross-entropy of f(x) / T with its own prediction, (N, C, H, W)."""

    def loss(candidates: Tensor) -> Tensor:
        logits = model(candidates) / temperature
        return cross_entropy(logits, logits.argmax(1))

    return loss_and_input_gradient(loss, images)[1].sign()


def softmax_score(model: Model, images: Tensor, temperature: float) -> Tensor:
    """Return minus the largest softmax(f(x) / T) per image, (N,)."""
    return -(model(images) / temperature).softmax(dim=1).amax(dim=1)


def stepped_score(model: Model, images: Tensor, temperature: float, magnitude: float) -> Tensor:
    """Return `softmax_score` of images after a step against `direction`, (N,)."""
    images = stepped(images, lambda candidates: direction(model, candidates, temperature), magnitude)
    return softmax_score(model, images, temperature)
