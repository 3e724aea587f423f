"""Textbook attacks, as weak as the papers ran them, and the loop of the attacks that felled the defences.

The textbook attacks take float32 cross-entropy and the sign of its gradient, as CleverHans and Foolbox do: a gradient that
underflows moves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.defence import stand_ins
from touchstone.attacks.adversary.losses import margin_loss

Value = Callable[[Tensor], Tensor]  # images (N, C, H, W) to a value per row (N,), which the attacker raises


def inside(points: Tensor, images: Tensor, eps: float) -> Tensor:
    """Return the nearest points of the L-inf balls around images."""
    return torch.minimum(torch.maximum(points, images - eps), images + eps).clamp(0, 1)


def slope(value: Value, points: Tensor) -> Tensor:
    """Return the gradient of a value in each image."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(value(points).sum(), points)
    return gradient


def fgsm(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Take one step of size eps (Goodfellow et al. 2015)."""
    return textbook_pgd(network, images, labels, eps, steps=1, size=eps, start=False)


def textbook_pgd(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    eps: float,
    *,
    steps: int = 40,
    size: float | None = None,
    start: bool = True,
) -> Tensor:
    """Take steps of eps / 10 or `size` up the float32 cross-entropy, and return the last point (Madry et al. 2018)."""
    points = inside(images + eps * (2 * torch.rand_like(images) - 1), images, eps) if start else images
    for _ in range(steps):
        gradient = slope(lambda moved: -functional.log_softmax(network(moved), 1).gather(1, labels[:, None]), points)
        points = inside(points + (eps / 10 if size is None else size) * gradient.sign(), images, eps)
    return points


def deepfool(network: nn.Module, images: Tensor, labels: Tensor, eps: float, *, steps: int = 20) -> Tensor:
    """Step to the nearest boundary of the linearised network and 2 % over it, and stop at the first wrong point.

    References:
        Moosavi-Dezfooli et al. 2016 (1511.04599), in L-inf. Minimal attacks, such as Carlini & Wagner's without
        confidence, end at such points, too.
    """
    points = images.clone()
    for _ in range(steps):
        with torch.enable_grad():
            moved = points.detach().requires_grad_()
            logits = network(moved)
            leads = logits - logits.gather(1, labels[:, None])
            gradients = [torch.autograd.grad(lead.sum(), moved, retain_graph=True)[0] for lead in leads.unbind(1)]
        lengths = torch.stack([gradient.flatten(1).abs().sum(1) for gradient in gradients], 1).clamp_min(1e-9)
        distances = (-leads.detach() / lengths).scatter(1, labels[:, None], torch.inf)
        nearest = distances.argmin(1)
        direction = torch.stack(gradients, 1)[torch.arange(len(images)), nearest].sign()
        far = 1.02 * distances.gather(1, nearest[:, None]).clamp_min(1e-4)[:, :, None, None]
        still = (logits.argmax(1) == labels)[:, None, None, None]
        points = torch.where(still, inside(points + far * direction, images, eps), points)
    return points


def climb(
    value: Value,
    images: Tensor,
    eps: float,
    *,
    steps: int = 100,
    restarts: int = 1,
    fooled: Callable[[Tensor], Tensor] | None = None,
    gradient: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Raise a value by signed steps whose size falls from eps to 0 by a cosine, first from the image itself.

    Args:
        value: to be raised.
        images: (N, C, H, W).
        eps: L-inf radius.
        steps: of each start.
        restarts: starts; all but the first are uniform points of the ball.
        fooled: which points (N, C, H, W) have succeeded: the first one of an image is kept. None for defences that draw
            random numbers: the last point is kept, because a lucky draw is no success.
        gradient: in place of that of `value`, such as one that is estimated from queries.
    """
    best, gradient = images.clone(), gradient or (lambda points: slope(value, points))
    open_rows = torch.ones(len(images), dtype=torch.bool) if fooled is None else ~fooled(images)
    for restart in range(restarts):
        points = images if restart == 0 else inside(images + eps * (2 * torch.rand_like(images) - 1), images, eps)
        for step in range(steps):
            size = eps * (1 + math.cos(math.pi * step / steps)) / 2
            points = inside(points + size * gradient(points).sign(), images, eps)
            if fooled is not None:
                won = fooled(points) & open_rows
                best[won], open_rows = points[won], open_rows & ~won
                if not bool(open_rows.any()):
                    return best
        best[open_rows] = points[open_rows]
    return best


def lead(network: nn.Module, labels: Tensor, draws: int = 1) -> Value:
    """Return the lead of the best wrong class, past the stand-ins of hidden parts; the mean over draws (EOT).

    References:
        Athalye et al. 2018 (1802.00420), section 4.2: expectation over transformation.
    """

    def value(points: Tensor) -> Tensor:
        with stand_ins(network):
            logits = [network(points).log_softmax(1) if draws > 1 else network(points) for _ in range(draws)]
        return margin_loss(torch.stack(logits).logsumexp(0) if draws > 1 else logits[0], labels)

    return value


def wrong(network: nn.Module, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the test whether points are misclassified, (N,) bool."""
    return lambda points: network(points).argmax(1) != labels


def past(network: nn.Module, labels: Tensor, score: Value, threshold: float) -> Callable[[Tensor], Tensor]:
    """Return the test whether points are misclassified and accepted, (N,) bool."""
    return lambda points: (network(points).argmax(1) != labels) & (score(points) <= threshold)


def both(value: Value, score: Value, threshold: float, *, sure: float = 1.0, weight: float = 1.0) -> Value:
    """Return a value to be wrong by a lead and to have a score below the threshold, in one loss.

    References:
        Carlini & Wagner 2017 (1705.07263): the detector's loss is added to the classifier's.
    """
    return lambda points: value(points).clamp(max=sure) - weight * (score(points) - threshold).clamp_min(-0.1)
