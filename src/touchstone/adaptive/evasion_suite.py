"""The attacks that an evasion rate needs, one after the other."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import Direction, Observation
from touchstone.adversary.losses import cross_entropy, margin_loss
from touchstone.adversary.lowest_scores import lower_scores, lowest_of, selective
from touchstone.contracts import NonNegativeFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, per_row


def evasion_suite(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    restarts: PositiveInt = 5,
    weights: list[NonNegativeFloat] = [0.3, 1.0],  # noqa: B006 - read as a setting, never changed
) -> Tensor:
    """Look for the misclassified point with the lowest score, by different attacks.

    Selective PGD on the cross-entropy goes first, from `restarts` starts. Then, from the image itself, the class and the
    score are attacked at once: with each weight, once by the cross-entropy and once by the margin. Both gradients are
    scaled to the same length first, so that a weight means the same for every network and detector.

    Each member finds points that the others miss: selective PGD where being wrong is hard, the weighted sums where the
    score is hard to lower. Because the lowest score counts, one attack serves every threshold. It costs
    (restarts + 2 * weights) * (steps + 1) gradients of the class and of the score per image.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        restarts: starts of selective PGD; the first is the image itself.
        weights: of the score against the class, each is tried.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point of all members by `lowest_scores.rank`.

    References:
        Bryniarski et al. 2021, section 4.1, for selective PGD; docs/papers/shared.md, "Adaptive attacks".
    """
    follow = partial(lower_scores, defence, images, labels, generator, eps=eps, steps=steps)
    both: list[Direction] = [partial(_both, weight=weight) for weight in weights]
    members = [
        follow([selective], restarts=restarts),
        follow(both, loss=cross_entropy),
        follow(both, loss=margin_loss),
    ]
    return lowest_of(defence, images, labels, members)


def _both(observation: Observation, weight: float) -> Tensor:
    return _unit(observation.class_gradient) - weight * _unit(observation.score_gradient)


def _unit(gradient: Tensor) -> Tensor:
    """Return a gradient scaled to an L1 norm of 1 per row; zero stays zero."""
    return gradient / per_row(gradient.flatten(1).abs().sum(1).clamp_min(1e-30), gradient)
