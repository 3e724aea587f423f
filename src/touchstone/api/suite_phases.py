"""The attack suite in two phases, so that a check can compare gradients with queries.

The first phase is `attack_suite` without queries, the second is here.
"""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.attack_suite import _Search
from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams, frozen


def search_on(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    followed: Tensor,
    *,
    eps: float,
    queries: int,
) -> Tensor:
    """Continue where `attack_suite` without queries ended, with the L-inf suite's last phase, Square.

    Both phases together return what one call of `attack_suite` with these queries returns, to the bit. No gradient is
    computed again.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: the random streams, where the first phase left them.
        followed: (N, C, H, W), the result of the first phase.
        eps: radius in pixel units.
        queries: of Square.

    Returns:
        (N, C, H, W) in [0, 1], as `attack_suite` returns them.
    """
    with frozen(model), torch.no_grad():
        ball, logits = Ball(images, eps, "linf"), model(followed)
        search = _Search(model, labels, ball, generator, model(images))
        finished = search.success(Goal(labels), ball, followed, logits)
        search.best, search.loss = followed, torch.where(finished, torch.inf, margin_loss(logits, labels))
        search.query(queries)
    return search.best
