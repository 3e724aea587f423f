"""odin: the softmax at a high temperature, after a small step towards the predicted class."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat
from touchstone.detectors._odin import stepped_score


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
        magnitude: size of the step in pixel units; 0.0014 in the paper.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Liang et al. 2018, eq. 1 to 3.
    """
    return stepped_score(model, images, temperature, magnitude)
