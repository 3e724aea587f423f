"""TRADES: accuracy on clean images, and no change of mind within eps."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone import tensors
from touchstone.ascent import ascend
from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.goals import Goal
from touchstone.losses import cross_entropy
from touchstone.perturbations import Ball
from touchstone.tensors import Draws


def trades(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 8 / 255,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
    beta: NonNegativeFloat = 6.0,
) -> Tensor:
    """Return the mean of CE(f(x), y) + beta * KL(f(x) || f(x')), x' the point within `eps` where the KL is highest.

    x' comes from L-inf PGD on the KL itself, from x + .001 * N(0, I), in eval mode; `step_size` None means
    2.5 * eps / steps. Gradients pass through both sides of the KL. Zhang et al. 2019, eq. 5 and algorithm 1.
    """
    with tensors.frozen(model), torch.no_grad():
        ball = Ball(images, eps)
        # At x itself the KL is flat, so the ascent needs a start beside it.
        start = ball.project(images + 0.001 * generator.normal(images.shape[1:], images.dtype))
        unseen = torch.full((len(images),), -torch.inf, device=images.device)
        goal = Goal(model(images), _divergence)
        size = 2.5 * eps / steps if step_size is None else step_size
        attacked, _ = ascend(model, goal, ball, start, images, unseen, steps=steps, step_size=size)
    logits = model(images)
    return (cross_entropy(logits, labels) + beta * _divergence(model(attacked), logits)).mean()


def _divergence(logits: Tensor, clean_logits: Tensor) -> Tensor:
    """Return KL(softmax(clean_logits) || softmax(logits)) per row, (N,)."""
    clean = clean_logits.log_softmax(1)
    return (clean.exp() * (clean - logits.log_softmax(1))).sum(1)
