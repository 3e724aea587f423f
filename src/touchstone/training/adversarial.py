"""Training on attacked images: PGD adversarial training, and FGSM training as published."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.losses import cross_entropy
from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws


def adversarial(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    attack: Attack,
    clean_weight: UnitInterval = 0.0,
) -> Tensor:
    """Return clean_weight * CE(images) + (1 - clean_weight) * CE(attacked images), the mean over the batch.

    With `clean_weight` 0 and PGD this is Madry et al. 2018; with .5 and FGSM it is J~ of Goodfellow et al. 2015,
    section 6 (papers.md 4.b). The attack sees the current weights in eval mode and no gradient passes through it.
    The two parts are two forward passes, so BatchNorm, where there is any, sees each as a batch of its own.
    """
    if clean_weight == 1:  # bit for bit plain training: no unused pass moves BatchNorm or dropout
        return cross_entropy(model(images), labels).mean()
    with tensors.frozen(model):
        attacked = attack(model, images, labels, generator)
    loss = cross_entropy(model(attacked), labels).mean()
    if clean_weight == 0:
        return loss
    return clean_weight * cross_entropy(model(images), labels).mean() + (1 - clean_weight) * loss
