"""PGD on one loss that joins misclassification and staying below the threshold."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import Direction, Observation, evade
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, per_row


def joint_pgd(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    weights: list[NonNegativeFloat] = [0.1, 1.0, 10.0],  # noqa: B006 - read as a setting, never changed
    once_wrong: bool = False,
    softplus_beta: PositiveFloat | None = None,
) -> Tensor:
    """Return, per image, the best point of PGD on CE(f(x'), y) - weight * max(0, score(x') - threshold).

    Every weight is tried, and the best point over all of them kept: wrong and unflagged before wrong before right.
    once_wrong: count the score only while the class is wrong, for what lowers the score of a detector of doubt while
    the class is right makes the network surer of it. The score is taken in spreads of the detector's calibration
    scores, so that one weight means the same for every detector. images (N, C, H, W) in [0, 1], labels (N,) int64.
    softplus_beta: of the softplus that stands in for ReLU on images whose score has no gradient; None takes none.
    papers.md 6.4.
    """

    def direction(weight: float) -> Direction:
        def follow(observation: Observation) -> Tensor:
            counts = observation.flagged & observation.wrong if once_wrong else observation.flagged
            counted = per_row(counts.to(images.dtype), images)
            return observation.class_gradient - weight * counted * observation.score_gradient

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
