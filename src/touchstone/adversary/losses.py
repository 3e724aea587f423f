"""Per-example losses, their input gradients, and the better of two candidates. Nothing here averages over a batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import Model

LossOfLogits = Callable[[Tensor, Tensor], Tensor]  # logits (N, K), labels (N,) -> (N,)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return -log softmax(logits)[label] per row, (N,), at least 0."""
    return functional.cross_entropy(logits, labels, reduction="none")


def margin_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return max over other classes of z_j - z_label per row, (N,); above 0 exactly where the label loses.

    Carlini & Wagner 2017; papers.md 6.6. Unlike cross-entropy it does not vanish on confident rows.
    """
    own = logits.gather(1, labels[:, None])
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(1) - own[:, 0]


def outlier_exposure(logits: Tensor) -> Tensor:
    """Return logsumexp(z) - mean(z) per row, (N,): cross-entropy to uniform, at least log K.

    Hendrycks et al. 2019; papers.md 2.b.
    """
    return torch.logsumexp(logits, dim=1) - logits.mean(dim=1)


def entropy(logits: Tensor) -> Tensor:
    """Return the entropy of softmax(logits) per row, (N,), from 0 to log K."""
    log_probabilities = functional.log_softmax(logits, dim=1)
    return -(log_probabilities.exp() * log_probabilities).sum(1)


def loss_and_input_gradient(loss: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the per-example loss (N,) at `images` and the gradient of each with respect to its own image."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        values = loss(images)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return values.detach(), gradient


def loss_at(loss: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the per-example loss (N,) at `images`, without a graph."""
    with torch.no_grad():
        return loss(images)


def keep_higher(best: Tensor, best_loss: Tensor, candidate: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    """Return, per row, the one of two candidates with the higher loss, and that loss; the first where they tie."""
    better = loss > best_loss
    mask = better.view(-1, *[1] * (best.dim() - 1))
    return torch.where(mask, candidate, best), torch.where(better, loss, best_loss)


def of(model: Model, labels: Tensor, loss: LossOfLogits = cross_entropy) -> Callable[[Tensor], Tensor]:
    """Return the function images -> loss(model(images), labels), per example."""
    return lambda images: loss(model(images), labels)


def logits_loss_and_gradient(
    model: Model, loss: Callable[[Tensor], Tensor], images: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the logits (N, K), their per-example loss (N,) and each loss's gradient in its own image, in one pass."""
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        values = loss(logits)
        (gradient,) = torch.autograd.grad(values.sum(), images)
    return logits.detach(), values.detach(), gradient


def dlr_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the difference-of-logits ratio per row, (N,): the margin loss over z_(1) - z_(3), for K >= 3.

    Unlike cross-entropy it does not change when logits are shifted or scaled. Croce & Hein 2020 (APGD), eq. 6.
    """
    top = logits.topk(3, dim=1).values
    return margin_loss(logits, labels) / (top[:, 0] - top[:, 2] + 1e-12)


def targeted_dlr_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Return (z_target - z_label) / (z_(1) - (z_(3) + z_(4)) / 2) per row, (N,), for K >= 4.

    Croce & Hein 2020 (APGD), eq. 7.
    """
    top = logits.topk(4, dim=1).values
    lead = logits.gather(1, targets[:, None])[:, 0] - logits.gather(1, labels[:, None])[:, 0]
    return lead / (top[:, 0] - (top[:, 2] + top[:, 3]) / 2 + 1e-12)
