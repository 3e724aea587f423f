"""Per-example losses and their input gradients; nothing averages over a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import Model

LossOfLogits = Callable[[Tensor, Tensor], Tensor]  # logits (N, K), labels (N,) -> (N,)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log softmax(logits)[label] per row, (N,), at least 0.

    It is computed as softplus(logsumexp(other logits) - own logit). The usual form, 1 - p, rounds the label's part of the
    gradient to 0 in float32 if the label leads by more than about 16.6. Attacks that only take the gradient's direction
    would then follow a wrong one.
    """
    own = logits.gather(1, labels[:, None])[:, 0]
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return functional.softplus(others.logsumexp(1) - own)


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the greatest wrong logit minus the label's logit per row, (N,).

    It is above 0 exactly if the label loses. Unlike cross-entropy it does not vanish on confident rows.

    References:
        Carlini & Wagner 2017, whose attack minimises it with the opposite sign.
    """
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - own[:, 0]


def outlier_exposure(logits: Tensor) -> Tensor:
    """Return logsumexp(z) - mean(z) per row, (N,), at least log K.

    It is the cross-entropy to the uniform distribution.

    References:
        Hendrycks et al. 2019; docs/papers/aloe.md, "Objective".
    """
    return torch.logsumexp(logits, dim=1) - logits.mean(dim=1)


def entropy(logits: Tensor) -> Tensor:
    """Return the entropy of softmax(logits) per row, (N,), from 0 to log K."""
    log_probabilities = functional.log_softmax(logits, dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(1)


def loss_and_input_gradient(loss: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """Return each image's loss, (N,), and its gradient in the image, (N, C, H, W)."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        values = loss(images)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return values.detach(), gradient


def loss_at(loss: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the loss of each image, (N,), without a graph."""
    with torch.no_grad():
        return loss(images)


def keep_higher(best: Tensor, best_loss: Tensor, candidate: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return, per row, the candidate with the higher loss, and that loss.

    The first one wins a tie.
    """
    better = loss > best_loss
    mask = better.view(-1, *[1] * (best.dim() - 1))
    return torch.where(mask, candidate, best), torch.where(better, loss, best_loss)


def of(model: Model, labels: Tensor, loss: LossOfLogits = cross_entropy) -> Callable[[Tensor], Tensor]:
    """Return the function images -> loss(model(images), labels), (N,)."""
    return lambda images: loss(model(images), labels)


def logits_loss_and_gradient(
    model: Model, loss: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return logits, loss and input gradient from one forward and backward pass.

    Returns:
        logits (N, K); loss (N,); the gradient of each loss in its own image, (N, C, H, W).
    """
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        values = loss(logits)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return logits.detach(), values.detach(), gradient


def dlr_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the difference-of-logits ratio (DLR) per row, (N,); needs K >= 3.

    It is the margin loss over z_(1) - z_(3). Unlike cross-entropy it does not change if logits are shifted or scaled.

    References:
        Croce & Hein 2020 (APGD), eq. 6.
    """
    top = logits.topk(3, dim=1).values
    return margin_loss(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_dlr_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Return the targeted DLR loss per row, (N,); needs K >= 4.

    It is (z_target - z_label) / (z_(1) - (z_(3) + z_(4)) / 2).

    References:
        Croce & Hein 2020 (APGD), eq. 7.
    """
    top = logits.topk(4, dim=1).values
    lead = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
    return lead / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)
