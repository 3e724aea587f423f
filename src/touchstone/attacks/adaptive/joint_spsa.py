"""SPSA on the joint goal, misclassified and not flagged, from forward passes only."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import best_of, margin_and_excess
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen, per_row


def joint_spsa(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    samples: PositiveInt = 16,
    probe: PositiveFloat = 0.01,
    step_size: PositiveFloat | None = None,
    weight: NonNegativeFloat = 1.0,
) -> Tensor:
    """Raise gap - weight * max(0, excess) along estimated gradients.

    The gap is the lead of the best wrong class in logits, counted up to 1 because more of it gains nothing. The excess is
    score minus threshold in units of the detector's spread. Nothing is differentiated, so masked gradients do not protect
    the defence: if this attack finds more than those with gradients, their gradients are masked. It takes
    steps * (2 * samples + 1) forward passes per image.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: L-inf radius in pixel units.
        steps: sign steps.
        samples: pairs of forward passes per step.
        probe: distance of the probes from the point, in pixel units.
        step_size: length of a step; None means 2.5 * eps / steps.
        weight: of the excess.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point by `evasion.rank`, rounded to 8 bits before it is ranked.

    References:
        Uesato et al. 2018, section 4; docs/papers/shared.md, "Adaptive attacks".
    """
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)

    def objective(points: Tensor) -> Tensor:
        margin, excess = margin_and_excess(defence, points, labels)
        return margin.clamp_max(1) - weight * excess.clamp_min(0)

    def path() -> Iterator[Tensor]:
        points = images
        for _ in range(steps):
            estimate = torch.zeros_like(images)
            for _ in range(samples):
                signs = generator.signs(images.shape[1:], images.dtype)
                rise = objective(points + probe * signs) - objective(points - probe * signs)
                estimate += per_row(rise, images) * signs
            points = ball.step(points, estimate, size)
            yield ball.stored(points)

    with frozen(defence.model):
        return best_of(defence, images, labels, path())
