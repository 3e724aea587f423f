"""PGD on one loss for both goals: be misclassified and stay below the threshold."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import Direction, Observation, evade
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, per_row


def joint_pgd(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    weights: list[NonNegativeFloat] = [0.1, 1.0, 10.0],  # noqa: B006 - read as a setting, never changed
    once_wrong: bool = False,
    softplus_beta: PositiveFloat | None = None,
) -> Tensor:
    """Raise CE(f(x'), y) - weight * max(0, score(x') - threshold) by PGD.

    The score is taken in units of the detector's spread, so that a weight means the same for every detector.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: starts per weight; the first is the image itself.
        weights: each is tried.
        once_wrong: count the score only while the class is wrong. While the class is right, lowering the score of a
            detector of doubt would make the network surer of that class.
        softplus_beta: for images whose score has no gradient, use that of the network with this softplus instead of ReLU;
            None does not.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point over all weights by `evasion.rank`, rounded to 8 bits before it
        is ranked.

    References:
        docs/papers/shared.md, "Adaptive attacks".
    """

    def direction(weight: float) -> Direction:
        def follow(observation: Observation) -> Tensor:
            counts = observation.flagged & observation.wrong if once_wrong else observation.flagged
            # Not a product with 0, which makes a NaN of an infinite gradient of the score.
            lowered = torch.where(per_row(counts, images), weight * observation.score_gradient, 0)
            return observation.class_gradient - lowered

        return follow

    directions = [direction(weight) for weight in weights]
    return evade(
        defence,
        images,
        labels,
        generator,
        directions,
        eps=eps,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        softplus_beta=softplus_beta,
    )
