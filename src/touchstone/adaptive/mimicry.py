"""PGD that makes what the detector reads look like that of clean images of another class."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from touchstone.adversary.defences import Guarded, in_scale
from touchstone.adversary.evasion import best_of
from touchstone.adversary.losses import cross_entropy
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def mimicry(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    weights: list[NonNegativeFloat] = [0.01, 0.1, 1.0],  # noqa: B006 - read as a setting, never changed
) -> Tensor:
    """Return, per image, the best point of PGD on CE(f(x'), target) + weight * distance to the target's clean mean.

    target: the wrong class with the greatest logit of the image itself. distance: mean squared difference of what the
    detector reads (gradient norms as logarithms) from its mean over clean images of that class, in units of their
    spread. It needs no score and no threshold, so a score without gradients protects nothing. Every weight is tried.
    images (N, C, H, W) in [0, 1], labels (N,) int64. ValueError where the defence says of nothing that the detector
    reads what is typical. papers.md 6.4.
    """
    names = [name for name in defence.data if name in defence.typical]
    if not names:
        raise ValueError(f"nothing typical is known of {', '.join(defence.data)}, so there is nothing to imitate")
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)

    def path(weight: float) -> Iterator[Tensor]:
        points = images
        for step in range(steps):
            points = points.detach().requires_grad_()
            with torch.enable_grad():
                logits, read = defence.readings(points)
                if step == 0:
                    targets = logits.detach().scatter(1, labels[:, None], -torch.inf).argmax(1)
                distance = torch.zeros_like(logits[:, 0])
                for name in names:
                    means, spread = defence.typical[name]
                    rows = in_scale(name, points if name == "images" else read[name])
                    distance = distance + ((rows - means[targets]) / spread).square().mean(1)
                loss = cross_entropy(logits, targets) + weight * distance
                (gradient,) = torch.autograd.grad(loss.sum(), points)
            points = ball.step(points.detach(), -gradient, size)
            yield points

    with frozen(defence.model):
        return best_of(defence, images, labels, (points for weight in weights for points in path(weight)))
