"""PGD that works on one constraint at a time: the class, then the score."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import Observation, evade
from touchstone.attacks.adversary.lowest_scores import selective
from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, per_row

TINY = 1e-10  # the greatest entry of a gradient whose squares are not summed as they are


def selective_pgd(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    orthogonal: bool = False,
    softplus_beta: PositiveFloat | None = None,
) -> Tensor:
    """Raise the loss while the class is right, otherwise lower the score.

    There is no weight to choose.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: starts; the first is the image itself.
        orthogonal: remove from each gradient its part along the other one, so that a step for one constraint does not undo
            the other.
        softplus_beta: for images whose score has no gradient, use that of the network with this softplus instead of ReLU;
            None does not.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point by `evasion.rank`, rounded to 8 bits before it is ranked.

    References:
        Bryniarski et al. 2021, sections 4.1 and 4.2; docs/papers/shared.md, "Adaptive attacks".
    """

    def follow(observation: Observation) -> Tensor:
        if not orthogonal:
            return selective(observation)
        towards_wrong, towards_unflagged = observation.class_gradient, -observation.score_gradient
        return torch.where(
            per_row(observation.wrong, images),
            _without(towards_unflagged, towards_wrong),
            _without(towards_wrong, towards_unflagged),
        )

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
    largest = along.abs().amax(1)
    tiny = (largest < TINY) & (largest > 0)  # their squares are rounded to 0
    scale = torch.where(tiny, 1 / largest, torch.ones_like(largest))
    along = along * scale[:, None]
    share = scale * (rows * along).sum(1) / along.square().sum(1).clamp_min(1e-24)
    return gradient - per_row(share, gradient) * other
