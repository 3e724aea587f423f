"""MMA training: every image is pushed away from its own place on the decision boundary."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy, loss_and_input_gradient, loss_at, of
from touchstone.contracts import Model, PositiveInt, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams, per_row, uniform_between

_BEYOND = 1.05  # times eps: how far the search looks, so that a margin above eps is seen as such


def mma(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.4,
    steps: PositiveInt = 10,
    bisections: PositiveInt = 10,
    clean_weight: UnitInterval = 1 / 3,
) -> Tensor:
    """Train on cross-entropy at clean images, and at each image's nearest point of the decision boundary.

    The loss at that point is the cross-entropy. Lowering it moves the boundary away from the image, which raises the
    image's margin. An image whose margin has reached `eps` adds nothing. An image that is wrong stays where it is.

    The boundary is where the soft logit margin, logsumexp of the other logits minus the label's, is 0. It is searched in
    eval mode: L-inf PGD on the soft logit margin gives a direction, and bisection along it the point. No gradient passes
    through the search.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the start of PGD.
        eps: the largest margin asked for, in pixel units; the paper's d_max.
        steps: gradient steps of PGD, each 2.5 / steps of its radius long.
        bisections: halvings of the interval that holds the boundary; with fewer than 4 no margin is seen to reach `eps`.
        clean_weight: share of the loss at clean images; 0 is the paper's OMMA.

    Returns:
        The mean over the batch of clean_weight * CE(x) + (1 - clean_weight) * L(x), where L is the cross-entropy at the
        boundary point if the image is right with a margin below `eps`, CE(x) if it is wrong, else 0.

    References:
        Ding et al. 2020, algorithms 1 and 2; docs/papers/margin_consistency.md, "MMA training".
    """
    with tensors.frozen(model), torch.no_grad():
        right = soft_logit_margin(model(images), labels) < 0
        rows = torch.nonzero(right)[:, 0]
        points, counted = images.clone(), (~right).to(images.dtype)
        if len(rows):  # none in the first batches of a training
            margins, nearest = nearest_points(
                model,
                images[rows],
                labels[rows],
                generator.take(rows),
                farthest=_BEYOND * eps,
                steps=steps,
                bisections=bisections,
            )
            points[rows], counted[rows] = nearest, (margins < eps).to(images.dtype)
    clean = cross_entropy(model(images), labels).mean()
    away = (counted * cross_entropy(model(points), labels)).mean()
    return clean_weight * clean + (1 - clean_weight) * away


def nearest_points(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    farthest: float,
    steps: int,
    bisections: int,
) -> tuple[Tensor, Tensor]:
    """Return how far each image is from the boundary, (N,) at most `farthest`, and its point there, (N, C, H, W).

    The radius of PGD is the distance of the boundary along the sign of the image's gradient. The paper takes the margin
    that it found for the image an epoch ago. Freeze the model before the call.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1], on the right side of the boundary.
        labels: (N,) int64.
        generator: random streams of the images, for the start.
        farthest: where the search ends.
        steps: gradient steps.
        bisections: halvings of the interval.
    """
    loss = of(model, labels, soft_logit_margin)

    def boundary(direction: Tensor) -> tuple[Tensor, Tensor]:
        low = torch.zeros_like(images.flatten(1)[:, 0])
        high = torch.full_like(low, farthest)
        for _ in range(bisections):
            middle = (low + high) / 2
            beyond = loss_at(loss, _moved(images, middle, direction)) >= 0
            low, high = torch.where(beyond, low, middle), torch.where(beyond, middle, high)
        middle = (low + high) / 2
        return middle, _moved(images, middle, direction)

    radius, _ = boundary(loss_and_input_gradient(loss, images)[1].sign())
    reach = per_row(radius.clamp_min(1e-12), images)  # 0 only if `farthest` is
    low, high = (images - reach).clamp(min=0), (images + reach).clamp(max=1)
    points = uniform_between(low, high, generator)
    for _ in range(steps):
        gradient = loss_and_input_gradient(loss, points)[1]
        points = (points + 2.5 / steps * reach * gradient.sign()).clamp(low, high)
    return boundary((points - images) / reach)


def _moved(images: Tensor, distance: Tensor, direction: Tensor) -> Tensor:
    return (images + per_row(distance, images) * direction).clamp(0, 1)


def soft_logit_margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return logsumexp of the other logits minus the label's logit per row, (N,).

    It is below 0 exactly if the label has more than half of the probability, and its softplus is the cross-entropy.
    """
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]
