"""The Square attack: random search with square patches, from forward passes only."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.attacks.adversary.square_search import search_with_squares
from touchstone.attacks.adversary.success import misclassified
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def square(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    queries: PositiveInt = 1000,
    stop_on_success: bool = False,
) -> Tensor:
    """Raise the margin loss by random search with square patches.

    It takes `queries` forward passes per image and no gradient.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: L-inf radius in pixel units.
        queries: forward passes per image.
        stop_on_success: drop an image at its first misclassified point; see `pgd`.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss; the image only if none is higher.

    References:
        Andriushchenko et al. 2020, algorithms 1 and 2 (L-inf), with squares placed per image.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        loss, success = margin_loss(model(images), labels), None
        if stop_on_success:
            loss, success = torch.where(loss > 0, torch.inf, loss), misclassified
        ball = Ball(images, eps)
        return search_with_squares(model, labels, ball, generator, images, loss, queries=queries, success=success)[0]
