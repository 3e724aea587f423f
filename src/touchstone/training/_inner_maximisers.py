"""What robust training maximises before it minimises: the worst point of each image's ball, and TRADES' whole loss."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend
from touchstone.adversary.goals import Goal
from touchstone.adversary.losses import LossOfLogits, cross_entropy, outlier_exposure
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import Model
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws


def worst(
    model: Model,
    images: Tensor,
    labels: Tensor,
    loss: LossOfLogits,
    generator: Draws,
    *,
    eps: float,
    steps: int,
    step_size: float | None,
) -> Tensor:
    """Return, per image, the highest-loss point that PGD met within `eps` from a uniform start, in eval mode.

    The image itself where eps is 0.
    """
    unseen = torch.full((len(images),), -torch.inf, device=images.device)
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)
    with tensors.frozen(model):
        goal, start = Goal(labels, loss), ball.random(generator)
        return ascend(model, goal, ball, start, images, unseen, steps=steps, step_size=size)[0]


def towards_uniform(logits: Tensor, _: Tensor) -> Tensor:
    """Return ALOE's outlier loss per row, (N,), as a loss of logits and labels: outliers have none."""
    return outlier_exposure(logits)


def divergent(
    model: Model, images: Tensor, generator: Draws, *, eps: float, steps: int, step_size: float | None
) -> Tensor:
    """Return, per image, the point within `eps` where KL(f(x) || f(x')) is highest, from x + .001 * N(0, I)."""
    with tensors.frozen(model), torch.no_grad():
        ball = Ball(images, eps)
        # At x itself the KL is flat, so the ascent needs a start beside it.
        start = ball.project(images + 0.001 * generator.normal(images.shape[1:], images.dtype))
        unseen = torch.full((len(images),), -torch.inf, device=images.device)
        goal = Goal(model(images), divergence)
        size = resolve_step_size(step_size, eps, steps)
        return ascend(model, goal, ball, start, images, unseen, steps=steps, step_size=size)[0]


def trades_loss(logits: Tensor, attacked_logits: Tensor, labels: Tensor, beta: float) -> Tensor:
    """Return CE(f(x), y) + beta * KL(f(x) || f(x')) per row, (N,). Zhang et al. 2019, eq. 5."""
    return cross_entropy(logits, labels) + beta * divergence(attacked_logits, logits)


def divergence(logits: Tensor, clean_logits: Tensor) -> Tensor:
    """Return KL(softmax(clean_logits) || softmax(logits)) per row, (N,)."""
    clean = clean_logits.log_softmax(1)
    return (clean.exp() * (clean - logits.log_softmax(1))).sum(1)
