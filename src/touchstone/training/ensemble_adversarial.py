"""Training on attacked images, many of which were made to fool other networks: ensemble adversarial training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from touchstone.adversary.losses import cross_entropy
from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws


def ensemble_adversarial(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    static_networks: Sequence[Model],
    *,
    attack: Attack,
    static_share: UnitInterval | None = None,
    clean_weight: UnitInterval = 0.5,
) -> Tensor:
    """Return clean_weight * CE(images) + (1 - clean_weight) * CE(attacked images), the mean over the batch.

    Each image is attacked on one network: with probability `static_share` on one of `static_networks`, all of them
    equally likely, else on the network being trained. `static_share` None: on any of them, the trained one included,
    equally often, as in the authors' code. That draws once per batch, here every image draws from its own stream, so
    that batches and their order change nothing. Static networks were trained before and stay as they are; every attack
    sees its network in eval mode, and no gradient passes through it. Tramer et al. 2018 (.5 and one-step attacks).
    ValueError where there is no static network.
    """
    if not static_networks:
        raise ValueError("ensemble_adversarial needs static networks, trained before; with none it is adversarial")
    if clean_weight == 1:  # bit for bit plain training, as in adversarial
        return cross_entropy(model(images), labels).mean()
    attacked = _attacked([model, *static_networks], images, labels, generator, attack, static_share)
    loss = cross_entropy(model(attacked), labels).mean()
    if clean_weight == 0:
        return loss
    return clean_weight * cross_entropy(model(images), labels).mean() + (1 - clean_weight) * loss


def _attacked(
    networks: Sequence[Model], images: Tensor, labels: Tensor, generator: Draws, attack: Attack, share: float | None
) -> Tensor:
    """Return every image attacked on a network drawn for it; the first network is the one being trained."""
    others = len(networks) - 1
    elsewhere = generator.uniform(()) < (others / len(networks) if share is None else share)
    drawn = torch.where(elsewhere, 1 + generator.integers(others), 0)
    attacked = images.clone()
    for place, network in enumerate(networks):
        rows = (drawn == place).nonzero()[:, 0]
        if len(rows):
            with tensors.frozen(network):
                attacked[rows] = attack(network, images[rows], labels[rows], generator.take(rows))
    return attacked
