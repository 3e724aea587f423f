"""The semantic attack: inverted brightness."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import check_inputs
from touchstone.contracts import Model
from touchstone.numerics.tensors import Draws, frozen

BUDGET = None  # an inverted image is not within any eps of the image


def colour_inversion(model: Model, images: Tensor, labels: Tensor, generator: Draws) -> Tensor:
    """Return 1 - images: the same shapes in inverted colours, for every image, whether it fools the model or not.

    images (N, C, H, W) in [0, 1]; the result has the same shape and range, and no eps. The model and the labels are
    only checked. Hosseini & Poovendran 2018 (negative images); the "semantic" attack of Lee et al. 2022.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        return 1 - images
