"""Certified lower bounds on L-inf margins, from linear bounds on the network: no attack can find a smaller one."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import check_images
from touchstone.contracts import Model, PositiveFloat, PositiveInt
from touchstone.margins._linear_bounds import layers, least_lead
from touchstone.numerics.tensors import Draws, frozen, per_row


def certified_linear(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    largest: PositiveFloat = 0.5,
    rounds: PositiveInt = 10,
) -> tuple[Tensor, Tensor]:
    """Return lower bounds on the L-inf distance to another prediction inside [0, 1], (N,), and True for every row.

    Every margin of an attack lies above; the truth lies between. images (N, C, H, W) in [0, 1]; the model has to be a
    chain of affine layers and ReLU (softmax_regression, mlp, small_cnn), else ValueError. The radius is bisected `rounds`
    times below `largest` to the greatest at which linear bounds (CROWN; Zhang et al. 2018) keep the predicted class
    ahead of all others; the class is the model's, labels and generator are not used. Without hidden layers the bound is
    exact up to the last halving, largest / 2^rounds; the deeper and the less robust the network, the looser. One round
    costs a backward pass per hidden unit: for small networks.
    """
    check_images(images)
    if not isinstance(model, torch.nn.Module):
        raise ValueError("linear bounds need the network itself, not a function")
    with frozen(model), torch.no_grad():
        chain, predictions = layers(model, images), model(images).argmax(1)
        reached = images.new_zeros(len(images), dtype=torch.float64)
        size = largest
        for _ in range(rounds):
            size /= 2
            radius = per_row(reached + size, images)
            low, high = (images - radius).clamp_min(0), (images + radius).clamp_max(1)
            reached = torch.where(least_lead(chain, low, high, predictions) > 0, reached + size, reached)
    return reached.to(images), torch.ones_like(predictions, dtype=torch.bool)
