"""Minimum-norm margins: many short ascents, each within the smallest margin so far."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import Norm, check_images, unit_step
from touchstone.attacks.margins._ascent import shorten
from touchstone.attacks.margins._boundary import SHORTEST, largest, predicted, verified
from touchstone.attacks.margins._hyperplanes import dual_norms
from touchstone.contracts import Model, PositiveInt
from touchstone.numerics.tensors import RandomStreams, frozen, per_row

_FARTHER = 1.5  # times the radius, until a first margin exists
_LINEARISED = 20  # at most so many wrong classes are ranked, those with the highest logits


def minimal_pgd(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    classes: PositiveInt = 4,
    rounds: PositiveInt = 24,
    steps: PositiveInt = 25,
    norm: Literal["linf", "l2"] = "linf",
) -> tuple[Tensor, Tensor]:
    """Search the smallest change of each prediction from random starts, as a thorough second opinion.

    A round raises the lead of one wrong class within the smallest margin so far, and shortens what it finds to the
    boundary. Rounds take the `classes` nearest classes of the linearised model in turn. Odd laps start at a
    random point, even laps at the best point so far.

    An image costs rounds * (2 * steps + 15) passes, 1,560 by default, and those that rank the classes.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: not used; the margin is that of the predicted class.
        generator: random streams of the images, for the starts.
        classes: number of target classes.
        rounds: ascents.
        steps: gradient steps of each.
        norm: of the distance.

    Returns:
        (N,) upper bounds on the distance to another prediction inside [0, 1], +inf if none was found, and (N,) bool,
        whether one was found. Each is the distance of a point whose prediction did change.

    Raises:
        ValueError: an image is outside [0, 1] or not finite, or the model has fewer than two classes.

    References:
        Cinà et al. 2025 (AttackBench), whose best L-inf attacks bisect the radius of Auto-PGD; here the radius falls with
        each success.
    """
    check_images(images)
    with frozen(model), torch.no_grad():
        predictions = predicted(model, images)
        targets, radius = _nearest(model, images, predictions, classes, norm)
        best, best_norm = torch.zeros_like(images), torch.full_like(radius, torch.inf)
        for index in range(rounds):
            lap, rank = divmod(index, targets.shape[1])
            start = best if lap % 2 else _random(images, radius, norm, generator)
            best, best_norm = shorten(
                model, images, predictions, targets[:, rank], radius, start, best, best_norm, steps, norm
            )
            radius = torch.where(best_norm.isinf(), (_FARTHER * radius).clamp(max=largest(images, norm)), best_norm)
        return verified(model, images, predictions, best, norm)


def _nearest(model: Model, images: Tensor, predictions: Tensor, classes: int, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the nearest classes of the linearised model, (N, classes), and the distance of the nearest, (N,)."""
    points = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(points)
        wrong = logits.detach().scatter(1, predictions[:, None], -torch.inf)
        candidates = wrong.topk(min(logits.shape[1] - 1, max(classes, _LINEARISED)), dim=1).indices
        distances = []
        for candidate in candidates.T:
            lead = (logits.gather(1, predictions[:, None]) - logits.gather(1, candidate[:, None]))[:, 0]
            (slopes,) = torch.autograd.grad(lead.sum(), points, retain_graph=True)
            distances.append(lead.detach().to(images.dtype) / dual_norms(slopes, norm).clamp_min(1e-12))
    ordered, order = torch.stack(distances, 1).sort(dim=1, stable=True)
    return candidates.gather(1, order)[:, :classes], ordered[:, 0].clamp(SHORTEST, 1.0)


def _random(images: Tensor, radius: Tensor, norm: Norm, generator: RandomStreams) -> Tensor:
    """Return a random change within each radius."""
    shape, dtype = images.shape[1:], images.dtype
    if norm == "linf":
        return per_row(radius, images) * (2 * generator.uniform(shape, dtype) - 1)
    return per_row(radius, images) * unit_step(generator.normal(shape, dtype), "l2")
