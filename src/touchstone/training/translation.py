"""Translator training: back from attacked images to the images that they were made of."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import Attack, Model, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws, per_row


def translation(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    classifier: Model,
    *,
    attack: Attack,
    clean_share: UnitInterval = 0.0,
) -> Tensor:
    """Return the mean over pixels of |model(attack(images)) - images|, the attack made on `classifier` as it comes.

    A `clean_share` of the images, drawn per image, goes in unattacked, so that the translator also learns to leave
    such images alone. Amich & Eshete 2022: the L1 term of pix2pix, pairs made on the fly; papers.md 5.b.
    """
    with tensors.frozen(classifier):
        attacked = attack(classifier, images, labels, generator)
    unattacked = generator.uniform(()) < clean_share
    inputs = torch.where(per_row(unattacked, images), images, attacked)
    return (model(inputs) - images).abs().mean()
