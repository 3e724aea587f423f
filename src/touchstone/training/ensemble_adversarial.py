"""Ensemble adversarial training: attacked images that fool other networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams


def ensemble_adversarial(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    static_networks: Sequence[Model],
    *,
    attack: Attack,
    static_share: UnitInterval | None = None,
    clean_weight: UnitInterval = 0.5,
) -> Tensor:
    """Train on clean images and on images attacked on several networks.

    Every attack sees its network in eval mode, and no gradient passes through it. Static networks stay as they are. The
    authors' code draws the network once per batch; here every image draws from its own stream, so batches and their order
    change nothing.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        static_networks: trained before, each as likely as the others.
        attack: run on every batch.
        static_share: probability that an image is attacked on a static network. None makes all networks equally likely,
            the trained one included, as in the authors' code.
        clean_weight: share of the clean loss; the paper has .5 and one-step attacks.

    Returns:
        clean_weight * CE(images) + (1 - clean_weight) * CE(attacked images), the mean over the batch.

    Raises:
        ValueError: there is no static network.

    References:
        Tramer et al. 2018.
    """
    if not static_networks:
        raise ValueError(
            "ensemble_adversarial needs static networks that were trained before; without any, use adversarial"
        )
    if clean_weight == 1:  # bit for bit plain training, as in adversarial
        return cross_entropy(model(images), labels).mean()
    attacked = _attacked([model, *static_networks], images, labels, generator, attack, static_share)
    loss = cross_entropy(model(attacked), labels).mean()
    if clean_weight == 0:
        return loss
    return clean_weight * cross_entropy(model(images), labels).mean() + (1 - clean_weight) * loss


def _attacked(
    networks: Sequence[Model],
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    attack: Attack,
    share: float | None,
) -> Tensor:
    """Return every image attacked on the network drawn for it, (N, C, H, W).

    The first network is the one being trained.
    """
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
