"""The union of several attacks."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.losses import margin_loss
from touchstone.adversary.perturbations import check_inputs
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import Draws, frozen

BUDGET = None  # that of the widest of its attacks


def worst_of(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    attacks: list[Attack],
) -> Tensor:
    """Return, per image, the result of the first attack that fools the model, else the one with the highest margin loss.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. An image that one attack
    has fooled is not shown to the next ones. Every attack draws from the same place of the image's stream, so it gives
    what it would give alone. ValueError without attacks. papers.md 6.5, item 7: the worst case, not the mean.
    """
    if not attacks:
        raise ValueError("worst_of needs at least one attack, got none")
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        worst = images.clone()
        highest = torch.full_like(images.flatten(1)[:, 0], -torch.inf)
        for attack in attacks:
            rows = torch.nonzero(highest <= 0)[:, 0]
            if len(rows) == 0:
                break
            attacked = attack(model, images[rows], labels[rows], generator.take(rows))
            loss = margin_loss(model(attacked), labels[rows])
            better = loss > highest[rows]
            worst[rows[better]], highest[rows[better]] = attacked[better], loss[better].to(highest.dtype)
    return worst
