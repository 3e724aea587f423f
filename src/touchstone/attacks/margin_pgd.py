"""Projected gradient descent towards the greatest lead of a wrong class."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.ascent import ascend
from touchstone.adversary.goals import Goal
from touchstone.adversary.losses import keep_higher, margin_loss
from touchstone.adversary.perturbations import Ball, check_inputs, resolve_step_size
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def margin_pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    classes: PositiveInt = 3,
) -> Tensor:
    """Return, per image, the point met within `eps` at which a wrong class leads all others by most.

    Against who takes a small logit margin for a brittle decision: the prediction is wrong and looks safe. Each run
    raises the lead over all other classes of one of the `classes` wrong ones that come next at the image, `restarts`
    times; behind the boundary that lead is the logit margin. The image itself only where nothing is higher.
    images (N, C, H, W) in [0, 1], labels (N,) int64, the true classes; eps and step_size are L-inf pixel units;
    step_size None means 2.5 * eps / steps. The adaptive attack of papers.md S2-9.
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
    """Return by how much the best wrong class is ahead of the best other class, (N,); negative where the label leads."""
    ahead, best = logits.scatter(1, labels[:, None], -torch.inf).max(1)
    return ahead - logits.scatter(1, best[:, None], -torch.inf).amax(1)
