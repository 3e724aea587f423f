"""Losses of generative adversarial networks (GANs): generator and discriminator."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.contracts import Architecture
from touchstone.numerics import tensors

Gan = Literal["vanilla", "least_squares"]


def judge(discriminator: Architecture, input_shape: tuple[int, int, int], *, pairs: bool) -> nn.Module:
    """Return a freshly initialised discriminator of pairs of images, or of single images.

    Raises:
        ValueError: Its first convolution takes the other.
    """
    network = discriminator(input_shape)
    first = next(network.parameters())
    if first.ndim == 4 and first.shape[1] != input_shape[0] * (2 if pairs else 1):
        given = "pairs of images" if pairs else "single images"
        raise ValueError(f"the discriminator is given {given}: set its `paired` to {str(pairs).lower()}")
    return network


def patch_loss(patches: Tensor, real: bool, gan: Gan) -> Tensor:
    """Return the mean loss of a discriminator's outputs against real or generated.

    Args:
        patches: outputs of a discriminator, any shape.
        real: whether they should be called real (1) or generated (0).
        gan: "vanilla", the logistic loss, log 2 at an output of 0; or "least_squares", the squared distance, .25 at an
            output of .5.

    References:
        Goodfellow et al. 2014; Mao et al. 2017; docs/papers/translation.md, "Translators".
    """
    target = torch.full_like(patches, float(real))
    if gan == "vanilla":
        return functional.binary_cross_entropy_with_logits(patches, target)
    return functional.mse_loss(patches, target)


def discriminator_loss(discriminator: nn.Module, real: Tensor, made: Tensor, gan: Gan) -> Tensor:
    """Return the discriminator's loss: half for real images, half for generated ones.

    Its graph leads to the discriminator only.
    """
    losses = (
        patch_loss(discriminator(images.detach()), verdict, gan) for images, verdict in ((real, True), (made, False))
    )
    return 0.5 * (next(losses) + next(losses))


def generator_loss(discriminator: nn.Module, made: Tensor, gan: Gan) -> Tensor:
    """Return the generator's loss: its images are not called real yet.

    Its graph leads to the generated images only.
    """
    with tensors.frozen(discriminator):
        return patch_loss(discriminator(made), True, gan)
