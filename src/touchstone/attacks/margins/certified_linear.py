"""Certified lower bounds on L-inf margins: no attack can find a smaller margin."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import check_images
from touchstone.contracts import Model, PositiveFloat, PositiveInt
from touchstone.numerics.linear_bounds import checked_graph, least_lead
from touchstone.numerics.tensors import RandomStreams, frozen, per_row


def certified_linear(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    largest: PositiveFloat = 0.5,
    rounds: PositiveInt = 10,
) -> tuple[Tensor, Tensor]:
    """Bisect the greatest radius at which linear bounds keep the prediction.

    The true margin lies between this bound and the margin of any attack. Without hidden layers the bound is exact up to
    largest / 2^rounds; the deeper and the less robust the network, the looser it is. A round costs one backward pass per
    hidden unit, so it is for small networks.

    Args:
        model: a network of affine layers, ReLUs, poolings and sums (softmax_regression, mlp, small_cnn, resnets).
        images: (N, C, H, W) in [0, 1].
        labels: not used; the margin is that of the predicted class.
        generator: not used.
        largest: upper end of the bisection, in pixel units.
        rounds: of bisection.

    Returns:
        (N,) lower bounds on the L-inf distance to another prediction inside [0, 1], and (N,) bool, True for every row.

    Raises:
        ValueError: the model has another layer; it is named.

    References:
        Zhang et al. 2018 (CROWN).
    """
    check_images(images)
    if not isinstance(model, torch.nn.Module):
        raise ValueError("linear bounds need the network itself, not a function")
    with frozen(model), torch.no_grad():
        graph, predictions = checked_graph(model, images), model(images).argmax(1)
        reached = images.new_zeros(len(images), dtype=torch.float64)
        size = largest
        for _ in range(rounds):
            size /= 2
            radius = per_row(reached + size, images)
            low, high = (images - radius).clamp_min(0), (images + radius).clamp_max(1)
            reached = torch.where(least_lead(graph, low, high, predictions) > 0, reached + size, reached)
    return reached.to(images), torch.ones_like(predictions, dtype=torch.bool)
