"""The fast gradient sign method against networks whose class probabilities need not sum to one."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import logits_loss_and_gradient
from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def fgsm_log_probability(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    clip: bool = True,
) -> Tensor:
    """Take one step of size `eps` along the sign of the gradient of -log p_label.

    Here log p is the logit itself, as in shallow_rbf. `fgsm` takes the cross-entropy of the softmax of the
    logits, which such a network is not trained on. The sign of a zero gradient is 0.

    Args:
        model: images in [0, 1] to log-probabilities (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        eps: L-inf radius in pixel units.
        clip: clip the result to [0, 1]; the paper does not.

    Returns:
        (N, C, H, W), in [0, 1] if `clip`: images - eps * sign(gradient of the label's logit).

    References:
        Goodfellow et al. 2015, section 7.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        _, _, gradient = logits_loss_and_gradient(model, Goal(labels, _negative_log_probability), images)
        moved = images + eps * gradient.sign()
        return moved.clamp(images - eps, images + eps).clamp(0, 1) if clip else moved


def _negative_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    return -logits.gather(1, labels[:, None])[:, 0]
