"""PGD that makes the network as sure as it can of a wrong class."""

from __future__ import annotations

from torch import Tensor

from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import evade
from touchstone.adversary.losses import margin_loss
from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws


def high_confidence(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
) -> Tensor:
    """Return, per image, the best point of PGD on the logit gap by which the best wrong class leads the true one.

    It goes on where others stop, at the boundary, so detectors that take doubt for a sign of attack see none; the score
    itself is never differentiated. Of the points met the one is kept that evades with the greatest gap, if any does.
    images (N, C, H, W) in [0, 1], labels (N,) int64. papers.md 6.4.
    """
    return evade(
        defence,
        images,
        labels,
        generator,
        [lambda observation: observation.class_gradient],
        eps=eps,
        steps=steps,
        step_size=step_size,
        restarts=restarts,
        loss=margin_loss,
    )
