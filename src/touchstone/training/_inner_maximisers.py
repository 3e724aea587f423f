"""Inner maximisation of robust training: the worst point of each image's ball."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import LossOfLogits, cross_entropy, outlier_exposure
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import Model
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams


def worst(
    model: Model,
    images: Tensor,
    labels: Tensor,
    loss: LossOfLogits,
    generator: RandomStreams,
    *,
    eps: float,
    steps: int,
    step_size: float | None,
) -> Tensor:
    """Return the highest-loss point that PGD visits within `eps`, in eval mode.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, or whatever `loss` takes.
        loss: of logits and labels, per row.
        generator: random streams of the images, for the uniform start.
        eps: L-inf radius in pixel units; 0 returns the image itself.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.
    """
    with tensors.frozen(model):
        ball = Ball(images, eps)
        return _highest(model, Goal(labels, loss), ball, ball.random(generator), steps, step_size)


def worst_outliers(
    model: Model, outliers: Tensor, generator: RandomStreams, *, eps: float, steps: int, step_size: float | None
) -> Tensor:
    """Return `worst` of outliers, which have no labels, by ALOE's outlier loss."""
    no_labels = torch.zeros(len(outliers), dtype=torch.int64, device=outliers.device)
    return worst(
        model,
        outliers,
        no_labels,
        lambda logits, _: outlier_exposure(logits),
        generator,
        eps=eps,
        steps=steps,
        step_size=step_size,
    )


def divergent(
    model: Model, images: Tensor, generator: RandomStreams, *, eps: float, steps: int, step_size: float | None
) -> Tensor:
    """Return the point within `eps` where KL(f(x) || f(x')) is highest, in eval mode.

    PGD starts at x + .001 * N(0, I), because the KL is flat at x itself.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        generator: random streams of the images, for the start.
        eps: L-inf radius in pixel units.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.
    """
    with tensors.frozen(model), torch.no_grad():
        ball = Ball(images, eps)
        # At x itself the KL is flat, so the ascent has to start next to it.
        start = ball.project(images + 0.001 * generator.normal(images.shape[1:], images.dtype))
        return _highest(model, Goal(model(images), divergence), ball, start, steps, step_size)


def _highest(model: Model, goal: Goal, ball: Ball, start: Tensor, steps: int, step_size: float | None) -> Tensor:
    """Return the highest-loss point of one ascent; the image itself does not compete."""
    unseen = torch.full((len(start),), -torch.inf, device=start.device)
    size = resolve_step_size(step_size, ball.eps, steps)
    return ascend(model, goal, ball, start, ball.images, unseen, steps=steps, step_size=size)[0]


def trades_loss(logits: Tensor, attacked_logits: Tensor, labels: Tensor, beta: float) -> Tensor:
    """Return CE(f(x), y) + beta * KL(f(x) || f(x')) per row, (N,).

    References:
        Zhang et al. 2019, eq. 5.
    """
    return cross_entropy(logits, labels) + beta * divergence(attacked_logits, logits)


def divergence(logits: Tensor, clean_logits: Tensor) -> Tensor:
    """Return KL(softmax(clean_logits) || softmax(logits)) per row, (N,)."""
    clean = clean_logits.log_softmax(1)
    return (clean.exp() * (clean - logits.log_softmax(1))).sum(1)
