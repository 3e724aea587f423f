"""A mix of attacks in one batch: each image gets one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import RandomStreams, frozen

BUDGET = None  # those of its attacks


def mix(model: Model, images: Tensor, labels: Tensor, generator: RandomStreams, *, attacks: list[Attack]) -> Tensor:
    """Attack each image with one of the attacks, drawn uniformly per image.

    It is meant for training pairs; measure robustness with `worst_of`.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        attacks: to draw from.

    Returns:
        (N, C, H, W) in [0, 1].

    References:
        MIX of Amich & Eshete 2022, which divides an epoch into thirds: docs/papers/translation.md, "Deviations".
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        chosen = generator.integers(len(attacks))
        attacked = images.clone()
        for place, attack in enumerate(attacks):
            rows = torch.nonzero(chosen == place)[:, 0]
            if len(rows):
                attacked[rows] = attack(model, images[rows], labels[rows], generator.take(rows))
    return attacked
