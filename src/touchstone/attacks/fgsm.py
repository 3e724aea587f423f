"""The fast gradient sign method (FGSM)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal, goals, strongest
from touchstone.attacks.adversary.losses import cross_entropy, logits_loss_and_gradient
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def fgsm(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    target: Literal["none", "least_likely", "next", "each", "random"] = "none",
    clip: bool = True,
) -> Tensor:
    """Take one step of size `eps` along the sign of the gradient.

    The step is taken as published, even if it lowers the loss: returning the clean image instead would hide label
    leaking. The sign of a zero gradient is 0.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for random targets.
        eps: L-inf radius in pixel units.
        target: the class to aim for; `each` steps towards every wrong class and keeps the highest margin loss.
        clip: clip the result to [0, 1]; the paper does not.

    Returns:
        (N, C, H, W), in [0, 1] if `clip`: images + eps * sign(gradient of the cross-entropy), or with a target, minus
        that of the target class.

    References:
        Goodfellow et al. 2015, section 4.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        # An untargeted attack needs no logits of the clean images, which saves a fifth of an epoch of FGSM training.
        aims = [Goal(labels)] if target == "none" else goals(target, cross_entropy, model(images), labels, generator)
        candidates = []
        for goal in aims:
            _, _, gradient = logits_loss_and_gradient(model, goal, images)
            moved = images + eps * gradient.sign()
            candidates.append(moved.clamp(images - eps, images + eps).clamp(0, 1) if clip else moved)
        return strongest(model, labels, candidates)
