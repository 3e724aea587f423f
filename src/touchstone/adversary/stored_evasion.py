"""The loop of attacks on a guarded classifier: be wrong and unflagged in the images that a study stores."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.defences import Guarded, smoothed
from touchstone.adversary.evasion import Defended, Direction, _observe, _with_surrogate_gradient, rank
from touchstone.adversary.losses import LossOfLogits, cross_entropy, keep_higher
from touchstone.adversary.lowest_scores import as_stored
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.numerics.tensors import RandomStreams, frozen


def evade_stored(
    defence: Defended,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    directions: list[Direction],
    *,
    eps: float,
    steps: int,
    step_size: float | None,
    restarts: int,
    loss: LossOfLogits = cross_entropy,
    softplus_beta: float | None = None,
) -> Tensor:
    """Follow each direction from several starts, and keep the best points as a study stores them.

    The defence only sees points rounded to 8 bits: a point with the widest margin often has a score just below the
    threshold, and is flagged when it is rounded. Steps start from the points before rounding, so that short ones add up.
    No pass is added: a step reads logits, scores and gradients at the rounded point.

    The first start is the image itself; the others are uniform points of the L-inf ball.

    Args:
        defence: the target.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        directions: each maps an observation to a step direction (N, C, H, W).
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: starts per direction.
        loss: of logits and labels; its gradient leads to a wrong class.
        softplus_beta: if the score of an image has no gradient, use that of the network with this softplus instead of
            ReLU; None does not.

    Returns:
        (N, C, H, W) in [0, 1], on the 1/255 grid if the images are: the best point by `evasion.rank`, which prefers wrong
        and unflagged, then wrong and least flagged, then nearest to being wrong.
    """
    surrogate = smoothed(defence, softplus_beta) if softplus_beta is not None and isinstance(defence, Guarded) else None
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)
    with frozen(defence.model):
        observation = _observe(defence, images, labels, loss)
        best, best_rank = images, rank(observation.margin, observation.excess)
        for direction in directions:
            for restart in range(restarts):
                points = images if restart == 0 else ball.random(generator)
                for step in range(steps + 1):
                    stored = as_stored(points, ball)
                    observation = _observe(defence, stored, labels, loss)
                    if surrogate is not None:
                        observation = _with_surrogate_gradient(observation, surrogate, stored, labels, loss)
                    new_rank = rank(observation.margin, observation.excess)
                    best, best_rank = keep_higher(best, best_rank, stored, new_rank)
                    if step < steps:
                        points = ball.step(points, direction(observation), size)
    return best
