"""The strongest of several attacks on an expectation."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import RandomStreams, frozen

BUDGET = None  # those of its attacks


def highest_loss(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    attacks: list[Attack],
) -> Tensor:
    """Run several attacks on every image, and keep the result with the highest margin loss.

    For networks that draw random numbers (`draws` above 1). An image that their expectation misclassifies by a hair is still
    right on almost half of the draws, so an attack that stops there leaves too much. `worst_of` stops there; this does not.
    Cross-entropy would not do: with three classes or more it can be higher where the label still wins.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        attacks: to run; at least one should take all its steps, such as `pgd`.

    Returns:
        (N, C, H, W) in [0, 1].

    References:
        Athalye et al. 2018, section 4.2.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        worst = images.clone()
        highest = torch.full_like(images.flatten(1)[:, 0], -torch.inf)
        for attack in attacks:
            attacked = attack(model, images, labels, generator.take(torch.arange(len(images), device=images.device)))
            loss = margin_loss(model(attacked), labels).to(highest.dtype)
            better = loss > highest
            worst[better], highest[better] = attacked[better], loss[better]
    return worst
