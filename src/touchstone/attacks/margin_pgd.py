"""Projected gradient descent that raises the lead of a wrong class."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import keep_higher, margin_loss
from touchstone.attacks.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def margin_pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    classes: PositiveInt = 3,
) -> Tensor:
    """Find the point within `eps` at which a wrong class leads by most.

    It attacks defences that take a small logit margin for a brittle decision: the prediction is wrong and looks safe.
    Each run raises the lead of one wrong class over all other classes. Behind the boundary that lead is the logit margin.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per run.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: runs per class.
        classes: number of wrong classes to try, those with the highest logits first.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the greatest lead; the image itself only if nothing is higher.

    References:
        The adaptive attack of claim M4: docs/papers/margin_consistency.md, "What is built".
    """
    with frozen(model), torch.no_grad():
        count = check_inputs(model, images, labels)
        logits = model(images)
        ball = Ball(images, eps)
        size = resolve_step_size(step_size, eps, steps)
        wrong = logits.scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
        best, best_lead = images, wrong_lead(logits, labels)
        for place in range(min(classes, count - 1)):
            goal = Goal(labels, margin_loss, wrong[:, place])
            points, lead = images, goal(logits)
            for _ in range(restarts):
                start = ball.random(generator)
                points, lead = ascend(model, goal, ball, start, points, lead, steps=steps, step_size=size)
            best, best_lead = keep_higher(best, best_lead, points, lead)
    return best.detach()


def wrong_lead(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the lead of the best wrong class over the best other class, (N,).

    It is negative if the label leads.
    """
    ahead, best = logits.scatter(1, labels[:, None], -torch.inf).max(1)
    return ahead - logits.scatter(1, best[:, None], -torch.inf).amax(1)
