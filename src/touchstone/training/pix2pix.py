"""Translator training against a discriminator of image pairs (pix2pix)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.contracts import Architecture, Attack, Model, NonNegativeFloat
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.training._generative import discriminator_loss, generator_loss, judge


def companions(input_shape: tuple[int, int, int], *, discriminator: Architecture) -> nn.ModuleDict:
    """Return what is trained with the translator: a discriminator of image pairs."""
    return nn.ModuleDict({"discriminator": judge(discriminator, input_shape, pairs=True)})


def pix2pix(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    classifier: Model,
    companions: nn.ModuleDict,
    *,
    attack: Attack,
    gan: Literal["vanilla", "least_squares"] = "vanilla",
    pixel_weight: NonNegativeFloat = 100.0,
) -> Tensor:
    """Train a translator on pairs, against a discriminator.

    With A the attacked images, B the clean ones, M the translator and D the discriminator, the loss is
    GAN(D(A, M(A)), real) + pixel_weight * mean |M(A) - B|, plus the discriminator's own loss. Each network gets only the
    gradient of its own part, so one optimiser steps both as two would. Both step on the same batch; in the released code
    the discriminator goes first. `training/translation` is this without the GAN terms.

    Args:
        model: the translator M, being trained.
        images: (N, C, H, W) in [0, 1], the clean images B.
        labels: (N,) int64, the true classes, for the attack.
        generator: random streams of the images, for the attack.
        classifier: attacked in eval mode, not trained.
        companions: of `companions`, being trained.
        attack: makes A from B.
        gan: form of the GAN loss.
        pixel_weight: of the pixel term.

    Returns:
        The sum; in eval mode only the pixel term, which chooses the best epoch, because a game's loss does not fall.

    References:
        Isola et al. 2017, eq. 3 and 4; docs/papers/translation.md, "Translators".
    """
    with tensors.frozen(classifier):
        attacked = attack(classifier, images, labels, generator)
    made: Tensor = model(attacked)
    distance = (made - images).abs().mean()
    if not model.training:
        return distance
    judge = companions["discriminator"]
    real_pair, made_pair = (torch.cat([attacked, other], dim=1) for other in (images, made))
    return (
        generator_loss(judge, made_pair, gan)
        + pixel_weight * distance
        + discriminator_loss(judge, real_pair, made_pair, gan)
    )
