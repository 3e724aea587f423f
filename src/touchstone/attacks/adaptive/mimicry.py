"""PGD that imitates what the detector reads of clean images of another class."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded, in_scale
from touchstone.attacks.adversary.evasion import best_of
from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.attacks.adversary.planted import PlantedDefence
from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def mimicry(
    defence: Guarded,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    weights: list[NonNegativeFloat] = [0.01, 0.1, 1.0],  # noqa: B006 - read as a setting, never changed
) -> Tensor:
    """Lower CE(f(x'), target) + weight * distance to the target's clean mean.

    The target is the wrong class with the greatest logit of the clean image. The distance is the mean squared difference
    between what the detector reads and its mean over clean images of the target, in units of their spread; gradient norms
    are compared as logarithms. The attack uses no gradient of the score, so a score without gradients protects nothing.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: not used.
        eps: L-inf radius in pixel units.
        steps: gradient steps per weight.
        step_size: length of a step; None means 2.5 * eps / steps.
        weights: each is tried.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the best point over all weights by `evasion.rank`, rounded to 8 bits before it
        is ranked.

    Raises:
        ValueError: `defence.typical` has none of the values that the detector reads, or the defence solves a planted
            problem, whose classes have no typical values.

    References:
        docs/papers/shared.md, "Adaptive attacks".
    """
    if isinstance(defence, PlantedDefence) and defence.readout is not None:
        raise ValueError(
            "mimicry imitates images of another class, and a planted problem has none: plant another attack"
        )
    names = [name for name in defence.data if name in defence.typical]
    if not names:
        raise ValueError(
            f"the defence has no typical values of {', '.join(defence.data)}, so there is nothing to imitate"
        )
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
            yield ball.stored(points)

    with frozen(defence.model):
        return best_of(defence, images, labels, (points for weight in weights for points in path(weight)))
