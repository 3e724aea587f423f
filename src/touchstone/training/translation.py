"""Translator training on pairs: back from attacked images to clean ones."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams, per_row


def translation(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    classifier: Model,
    *,
    attack: Attack,
    clean_share: UnitInterval = 0.0,
) -> Tensor:
    """Train a translator to undo an attack on `classifier`.

    Args:
        model: the translator, images to images, being trained.
        images: (N, C, H, W) in [0, 1], the clean images.
        labels: (N,) int64, the true classes, for the attack.
        generator: random streams of the images.
        classifier: attacked in eval mode, not trained.
        attack: run on every batch.
        clean_share: probability that an image stays unattacked, so that the translator learns to leave it as it is.

    Returns:
        The mean over pixels of |model(attack(images)) - images|.

    References:
        Amich & Eshete 2022: the L1 term of pix2pix; docs/papers/translation.md, "Translators".
    """
    with tensors.frozen(classifier):
        attacked = attack(classifier, images, labels, generator)
    unattacked = generator.uniform(()) < clean_share
    inputs = torch.where(per_row(unattacked, images), images, attacked)
    return (model(inputs) - images).abs().mean()
