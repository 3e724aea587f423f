"""What generators and discriminators are trained on: which patches look real, and to whom."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.numerics import tensors

Gan = Literal["vanilla", "least_squares"]


def patch_loss(patches: Tensor, real: bool, gan: Gan) -> Tensor:
    """Return the mean loss of calling `patches`, a discriminator's outputs, real (1) or made (0).

    vanilla: the logistic loss, log 2 at an output of 0. least_squares: the squared distance, .25 at an output of .5.
    Goodfellow et al. 2014; Mao et al. 2017; papers.md 5.b.
    """
    target = torch.full_like(patches, float(real))
    if gan == "vanilla":
        return functional.binary_cross_entropy_with_logits(patches, target)
    return functional.mse_loss(patches, target)


def discriminator_loss(discriminator: nn.Module, real: Tensor, made: Tensor, gan: Gan) -> Tensor:
    """Return the discriminator's own loss, with a graph to it alone: half for real images, half for made ones."""
    losses = (
        patch_loss(discriminator(images.detach()), verdict, gan) for images, verdict in ((real, True), (made, False))
    )
    return 0.5 * (next(losses) + next(losses))


def generator_loss(discriminator: nn.Module, made: Tensor, gan: Gan) -> Tensor:
    """Return the generator's loss, with a graph to the made images alone: that they are not yet called real."""
    with tensors.frozen(discriminator):
        return patch_loss(discriminator(made), True, gan)
