"""The attack suite in two phases, so that a check can compare gradients with queries.

The first phase is `attack_suite` without queries, the second is here. Splitting `attack_suite` itself would change the
digest of its code. Then finished studies would be recomputed, and the race against AutoAttack would be of other code.
"""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.square_search import search_with_squares
from touchstone.attacks.adversary.success import misclassified_on_grid
from touchstone.attacks.attack_suite import _NEAR, _QUERIES_NEAR
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
        queries: of Square, for images that gradients have not come near to; the others get the suite's share of them.

    Returns:
        (N, C, H, W) in [0, 1], as `attack_suite` returns them.
    """
    with frozen(model), torch.no_grad():
        ball, best, logits = Ball(images, eps, "linf"), followed.clone(), model(followed)
        success, loss = misclassified_on_grid(model), margin_loss(logits, labels)
        clean = margin_loss(model(images), labels)
        near = loss >= _NEAR * clean  # as in the suite, which has since attacked only images that were near
        finished = success(Goal(labels), ball, followed, logits)
        for among, tries in ((~near, queries), (near, round(_QUERIES_NEAR * queries))):
            rows = torch.nonzero(among & ~finished)[:, 0]
            if tries and len(rows):
                part = (labels[rows], ball.take(rows), generator.take(rows), best[rows], loss[rows])
                best[rows], _ = search_with_squares(model, *part, queries=tries, success=success)
    return best
