"""The semantic attack: inverted brightness."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams, frozen

BUDGET = None  # an inverted image is not within any eps of the image


def colour_inversion(model: Model, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    """Invert the colours of every image, whether it fools the model or not.

    Args:
        model: images in [0, 1] to logits (N, K); only checked.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes; only checked.
        generator: not used.

    Returns:
        1 - images, (N, C, H, W) in [0, 1]. There is no eps.

    References:
        Hosseini & Poovendran 2018 (negative images); the "semantic" attack of Lee et al. 2022.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        return 1 - images
