"""PGD that works on one constraint at a time, with or without the other one's direction taken out."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import Observation, evade
from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, per_row


def selective_pgd(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    orthogonal: bool = False,
    softplus_beta: PositiveFloat | None = None,
) -> Tensor:
    """Return, per image, the best point of PGD that raises the loss while the class is right, else lowers the score.

    `orthogonal` takes out of each gradient its part along the other one, so that a step for one constraint does not
    undo the other. No weight has to be chosen. images (N, C, H, W) in [0, 1], labels (N,) int64. softplus_beta: of the
    softplus that stands in for ReLU on images whose score has no gradient; None takes none.
    Bryniarski et al. 2021, sections 4.1 and 4.2; papers.md 6.4.
    """

    def follow(observation: Observation) -> Tensor:
        towards_wrong, towards_unflagged = observation.class_gradient, -observation.score_gradient
        if orthogonal:
            towards_wrong, towards_unflagged = (
                _without(towards_wrong, towards_unflagged),
                _without(towards_unflagged, towards_wrong),
            )
        return torch.where(per_row(observation.wrong, images), towards_unflagged, towards_wrong)

    return evade(
        defence,
        images,
        labels,
        generator,
        [follow],
        eps=eps,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        softplus_beta=softplus_beta,
    )


def _without(gradient: Tensor, other: Tensor) -> Tensor:
    """Return `gradient` minus its projection on `other`, row by row."""
    rows, along = gradient.flatten(1), other.flatten(1)
    share = (rows * along).sum(1) / along.square().sum(1).clamp_min(1e-24)
    return gradient - per_row(share, gradient) * other
