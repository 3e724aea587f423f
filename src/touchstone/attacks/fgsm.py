"""The fast gradient sign method."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.goals import Goal, goals, strongest
from touchstone.adversary.losses import cross_entropy, logits_loss_and_gradient
from touchstone.adversary.perturbations import check_inputs
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def fgsm(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    target: Literal["none", "least_likely", "next", "each", "random"] = "none",
    clip: bool = True,
) -> Tensor:
    """Return images + eps * sign(gradient of the cross-entropy), or minus that of a target class.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result is in [0, 1] too, unless `clip` is off as in the paper.
    The step is taken as published, even where it lowers the loss: keeping the clean image there would hide label
    leaking. `each` takes the target whose step has the highest margin loss. sign(0) is 0.
    Goodfellow et al. 2015, section 4.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        # Untargeted it needs no look at the clean images: a fifth of an epoch of training on FGSM.
        aims = [Goal(labels)] if target == "none" else goals(target, cross_entropy, model(images), labels, generator)
        candidates = []
        for goal in aims:
            _, _, gradient = logits_loss_and_gradient(model, goal, images)
            moved = images + eps * gradient.sign()
            candidates.append(moved.clamp(images - eps, images + eps).clamp(0, 1) if clip else moved)
        return strongest(model, labels, candidates)
