"""SPSA on the joint objective: misclassified and not flagged, found by asking for logits and scores alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from touchstone.adversary.defences import Guarded
from touchstone.adversary.evasion import best_of, margin_and_excess
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen, per_row


def joint_spsa(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    samples: PositiveInt = 16,
    probe: PositiveFloat = 0.01,
    step_size: PositiveFloat | None = None,
    weight: NonNegativeFloat = 1.0,
) -> Tensor:
    """Return, per image, the best point of sign steps along estimated gradients of gap - weight * max(0, excess).

    gap: the logits by which the best wrong class leads, counted up to 1, since more of it buys nothing; excess: score
    minus threshold in spreads of the calibration scores. Nothing is differentiated, so masked gradients do not help the
    defence: where this finds more than the attacks with gradients, theirs are masked. Asks
    steps * (2 * samples + 1) times per image. step_size None means 2.5 * eps / steps.
    images (N, C, H, W) in [0, 1], labels (N,) int64. Uesato et al. 2018, section 4; papers.md 6.4.
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
            yield points

    with frozen(defence.model):
        return best_of(defence, images, labels, path())
