"""PGD that makes the network as confident as possible of a wrong class."""

from __future__ import annotations

from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import evade
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams


def high_confidence(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
) -> Tensor:
    """Raise the lead of a wrong class, so that detectors of doubt see none.

    Other attacks stop at the boundary; this one goes on. It never differentiates the detector's score.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: starts; the first is the image itself.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the evading point with the greatest lead, otherwise the best point by
        `evasion.rank`. Points are rounded to 8 bits before they are ranked.

    References:
        docs/papers/shared.md, "Adaptive attacks".
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
