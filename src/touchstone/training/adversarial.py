"""Adversarial training: on PGD images, or on FGSM images as published."""

from __future__ import annotations

from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams


def adversarial(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    attack: Attack,
    clean_weight: UnitInterval = 0.0,
) -> Tensor:
    """Train on attacked images, or on clean and attacked ones together.

    The attack sees the current weights in eval mode, and no gradient passes through it. Clean and attacked images are two
    forward passes, so BatchNorm sees each as a batch of its own.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the attack.
        attack: run on every batch.
        clean_weight: share of the clean loss. 0 with PGD is Madry et al. 2018; .5 with FGSM is Goodfellow et al. 2015.

    Returns:
        clean_weight * CE(images) + (1 - clean_weight) * CE(attacked images), the mean over the batch.

    References:
        Goodfellow et al. 2015, section 6; docs/papers/fgsm.md, "Adversarial training".
    """
    if clean_weight == 1:  # bit for bit plain training: no unused pass moves BatchNorm or dropout
        return cross_entropy(model(images), labels).mean()
    with tensors.frozen(model):
        attacked = attack(model, images, labels, generator)
    loss = cross_entropy(model(attacked), labels).mean()
    if clean_weight == 0:
        return loss
    return clean_weight * cross_entropy(model(images), labels).mean() + (1 - clean_weight) * loss
