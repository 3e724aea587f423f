"""Several attacks in one batch: each image gets one of them."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import check_inputs
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import Draws, frozen

BUDGET = None  # that of the widest of its attacks


def mix(model: Model, images: Tensor, labels: Tensor, generator: Draws, *, attacks: list[Attack]) -> Tensor:
    """Return each image as one of the attacks leaves it, which one drawn for each image alike.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. For training pairs: to
    measure robustness take worst_of. ValueError without attacks. papers.md 5.c: MIX, there by thirds of an epoch.
    """
    if not attacks:
        raise ValueError("mix needs at least one attack, got none")
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        chosen = generator.integers(len(attacks))
        attacked = images.clone()
        for place, attack in enumerate(attacks):
            rows = torch.nonzero(chosen == place)[:, 0]
            if len(rows):
                attacked[rows] = attack(model, images[rows], labels[rows], generator.take(rows))
    return attacked
