"""odin: the tempered softmax after a small step towards the predicted class."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.losses import cross_entropy, loss_and_input_gradient
from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat


def odin(
    model: Model, images: Tensor, *, temperature: PositiveFloat = 1000.0, magnitude: NonNegativeFloat = 0.0014
) -> Tensor:
    """Return minus the largest softmax(f(x~) / T) per image, (N,), from -1 to -1/K; higher is more anomalous.

    x~ = x - magnitude * sign(gradient of the cross-entropy of f(x) / T with its own prediction), unclipped, images
    (N, C, H, W) and magnitude in pixel units (the paper's 0.0014 is of normalised images).  Differentiable in the
    images end to end: the sign is constant almost everywhere, so the step passes the gradient on unchanged.
    Liang et al. 2018, eq. 1 to 3.
    """

    def loss(candidates: Tensor) -> Tensor:
        logits = model(candidates) / temperature
        return cross_entropy(logits, logits.argmax(1))

    if magnitude > 0:
        _, gradient = loss_and_input_gradient(loss, images)
        images = images - magnitude * gradient.sign()
    return -(model(images) / temperature).softmax(dim=1).amax(dim=1)
