"""Translator training against a discriminator that sees pairs."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.contracts import Architecture, Attack, Model, NonNegativeFloat
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws
from touchstone.training._generative import discriminator_loss, generator_loss


def companions(input_shape: tuple[int, int, int], *, discriminator: Architecture) -> nn.ModuleDict:
    """Return the network that is trained beside the translator, and left behind: `discriminator`, of pairs of images."""
    return nn.ModuleDict({"discriminator": discriminator(input_shape)})


def pix2pix(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    classifier: Model,
    companions: nn.ModuleDict,
    *,
    attack: Attack,
    gan: Literal["vanilla", "least_squares"] = "vanilla",
    pixel_weight: NonNegativeFloat = 100.0,
) -> Tensor:
    """Return GAN(D(A, M(A)), real) + pixel_weight * mean |M(A) - B| plus the discriminator's own loss.

    A is the attack on `classifier`, as it comes, B the images, M the model. Each network gets the gradient of its own
    part alone, so one optimiser over both steps each as an optimiser of its own would; both step from the same batch,
    where the released code lets the discriminator go first. In eval mode, to choose an epoch by: the pixel term alone,
    for a game has no loss that falls. Isola et al. 2017, eq. 3 and 4; papers.md 5.b. Without the GAN term: translation.
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
