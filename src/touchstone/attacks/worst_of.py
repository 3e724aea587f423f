"""The union of several attacks."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import RandomStreams, frozen, to_grid_towards

BUDGET = None  # those of its attacks


def worst_of(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    attacks: list[Attack],
) -> Tensor:
    """Run several attacks, and keep the worst result of each image.

    An image on which one attack has succeeded is skipped by the next ones. A success has to survive the rounding to 8 bits
    with which a study stores images: a point that is only just wrong is often right again there. Every attack starts at the
    same place of an image's random stream, so it draws what it would draw if it were the only one.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        attacks: to run, in this order.

    Returns:
        (N, C, H, W) in [0, 1]: the result of the first attack that fools the model, otherwise the one with the highest
        margin loss, in both cases as it is or rounded, whichever is less wrong; of equal ones, the more wrong as it is.

    References:
        The worst case per image, not the mean over attacks: docs/papers/shared.md, "Checks of an attack", item 7.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        worst = images.clone()
        highest, unrounded = (torch.full_like(images.flatten(1)[:, 0], -torch.inf) for _ in range(2))
        for attack in attacks:
            rows = torch.nonzero(highest <= 0)[:, 0]
            if len(rows) == 0:
                break
            attacked = attack(model, images[rows], labels[rows], generator.take(rows))
            rounded = to_grid_towards(attacked, images[rows])
            raw = margin_loss(model(attacked), labels[rows]).to(highest.dtype)
            loss = torch.minimum(raw, margin_loss(model(rounded), labels[rows]).to(highest.dtype))
            # Below an eps of 1/255 every rounded point is the image, and only the points themselves differ.
            better = (loss > highest[rows]) | ((loss == highest[rows]) & (raw > unrounded[rows]))
            worst[rows[better]], highest[rows[better]], unrounded[rows[better]] = (
                attacked[better], loss[better], raw[better]
            )  # fmt: skip
    return worst
