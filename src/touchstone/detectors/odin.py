"""odin: the softmax at a high temperature, after a small step towards the predicted class."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.losses import cross_entropy, loss_and_input_gradient
from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat


def odin(
    model: Model, images: Tensor, *, temperature: PositiveFloat = 1000.0, magnitude: NonNegativeFloat = 0.0014
) -> Tensor:
    """Return minus the largest softmax(f(x~) / T) per image.

    x~ = x - magnitude * sign(gradient of the cross-entropy of f(x) / T with its own prediction), not clipped.
    Differentiable in the images end to end: the sign is constant almost everywhere, so the step passes the gradient
    on unchanged.

    Args:
        model: images to logits.
        images: (N, C, H, W).
        temperature: T.
        magnitude: size of the step in pixel units; the paper's 0.0014 applies to normalised images.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Liang et al. 2018, eq. 1 to 3.
    """

    def loss(candidates: Tensor) -> Tensor:
        logits = model(candidates) / temperature
        return cross_entropy(logits, logits.argmax(1))

    if magnitude > 0:
        _, gradient = loss_and_input_gradient(loss, images)
        images = images - magnitude * gradient.sign()
    return -(model(images) / temperature).softmax(dim=1).amax(dim=1)
