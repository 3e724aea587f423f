"""Minimum-norm margins: fast-minimum-norm search towards the nearest classes."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import logits_loss_and_gradient, margin_loss
from touchstone.attacks.adversary.perturbations import Norm, check_images, shrink, unit_step
from touchstone.attacks.margins._ascent import shorten
from touchstone.attacks.margins._boundary import SHORTEST, cut_back, largest, predicted, verified
from touchstone.attacks.margins._hyperplanes import dual_norms, smallest_change
from touchstone.contracts import Model, PositiveInt
from touchstone.numerics.tensors import RandomStreams, frozen, per_row, row_norms

_LINEARISED = 20  # at most so many wrong classes are linearised, those with the highest logits
_ROUGHLY = 6  # rounds of bisection before the polishing, which shortens again
_FAR = 1.5  # skip a class that linearly is so many times farther than the best margin so far; it changed 0.04 %


def nearest_classes(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    classes: PositiveInt = 3,
    steps: PositiveInt = 30,
    polishing_steps: PositiveInt = 10,
    norm: Literal["linf", "l2"] = "linf",
) -> tuple[Tensor, Tensor]:
    """Search the smallest change of each prediction towards its nearest classes.

    The `classes` nearest classes come from the model linearised at the image, inside the box. Each gets `steps` gradient
    steps with a radius that shrinks after success and grows after failure, then a bisection by forward passes. A class that
    linearly is 1.5 times farther than the best margin so far is skipped.

    On networks trained on their attacks this search alone stops early. So each of these classes then gets
    `polishing_steps` steps of another kind, from the best point so far and within its radius. Nothing is drawn.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: not used; the margin is that of the predicted class.
        generator: not used.
        classes: number of target classes.
        steps: points that are tried per class; the first is the start.
        polishing_steps: gradient steps per class from the best point so far.
        norm: of the distance.

    Returns:
        (N,) upper bounds on the distance to another prediction inside [0, 1], +inf if none was found, and (N,) bool,
        whether one was found. Each is the distance of a point whose prediction did change.

    Raises:
        ValueError: an image is outside [0, 1] or not finite, or the model has fewer than two classes.

    References:
        Pintor et al. 2021 (FMN); here with sign steps, several targets, and a first radius from the linear model.
    """
    check_images(images)
    with frozen(model), torch.no_grad():
        predictions = predicted(model, images)
        best = torch.zeros_like(images)
        best_norm = torch.full_like(images.flatten(1)[:, 0], torch.inf)
        nearest = _nearest(model, images, predictions, classes, norm)
        for target, radius in nearest:
            rows = torch.nonzero((radius < _FAR * best_norm) | best_norm.isinf())[:, 0]
            if len(rows) == 0:
                continue
            of = (images[rows], predictions[rows])
            change = _search(model, *of, target[rows], radius[rows], steps, norm)
            change = cut_back(model, *of, change, norm, _ROUGHLY)
            size, _ = verified(model, *of, change, norm)
            closer = size < best_norm[rows]
            best[rows[closer]], best_norm[rows[closer]] = change[closer], size[closer]
        for target, radius in nearest:
            within = torch.where(best_norm.isinf(), (_FAR * radius).clamp(max=largest(images, norm)), best_norm)
            best, best_norm = shorten(
                model, images, predictions, target, within, best, best, best_norm, polishing_steps, norm
            )
        return verified(model, images, predictions, best, norm)


def _nearest(
    model: Model, images: Tensor, predictions: Tensor, classes: int, norm: Norm
) -> list[tuple[Tensor, Tensor]]:
    """Return target classes (N,) with their linearised distance (N,), nearest first."""
    points = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(points)
        own = logits.gather(1, predictions[:, None])[:, 0]
        wrong = logits.detach().scatter(1, predictions[:, None], -torch.inf)
        candidates = wrong.topk(min(logits.shape[1] - 1, max(classes, _LINEARISED)), dim=1).indices
        distances = []
        for candidate in candidates.T:
            lead = logits.gather(1, candidate[:, None])[:, 0] - own
            (slopes,) = torch.autograd.grad(lead.sum(), points, retain_graph=True)
            distances.append(smallest_change(images, slopes, -lead.detach().to(images.dtype), norm)[1])
    ordered, order = torch.stack(distances, 1).sort(dim=1, stable=True)
    targets = candidates.gather(1, order)
    ordered = ordered.clamp_min(SHORTEST)
    return [(targets[:, rank], ordered[:, rank]) for rank in range(min(classes, targets.shape[1]))]


def _search(
    model: Model, images: Tensor, predictions: Tensor, target: Tensor, radius: Tensor, steps: int, norm: Norm
) -> Tensor:
    """Return the smallest change (N, ...) found towards `target`; 0 if none was found."""

    def lead(logits: Tensor) -> Tensor:
        return (logits.gather(1, predictions[:, None]) - logits.gather(1, target[:, None]))[:, 0]

    change, best = torch.zeros_like(images), torch.zeros_like(images)
    best_norm = torch.full_like(radius, torch.inf)
    eps = radius
    for step in range(steps):
        cosine = (1 + math.cos(math.pi * step / steps)) / 2
        step_size, rate = 0.005 + 0.495 * cosine, 0.001 + 0.049 * cosine
        points = (images + change).clamp(0, 1)
        logits, ahead, gradient = logits_loss_and_gradient(model, lead, points)
        crossed, size = margin_loss(logits, predictions) > 0, row_norms(change, norm)
        closer = crossed & (size < best_norm)
        best = torch.where(per_row(closer, best), change, best)
        best_norm = torch.where(closer, size, best_norm)
        # Pixels that would leave [0, 1] neither move nor count.
        gradient = torch.where((points - gradient.sign()).clamp(0, 1) == points, 0, gradient)
        slope = dual_norms(gradient, norm)
        # Until a crossing is found, the radius is that of the linear model at this point.
        first = 1.02 * (size + ahead.clamp_min(0).to(size.dtype) / slope.clamp_min(1e-12))
        eps = torch.where(crossed, torch.minimum(eps * (1 - rate), best_norm), eps * (1 + rate))
        eps = torch.where(best_norm.isinf(), first.clamp_min(SHORTEST), eps).clamp(max=largest(images, norm))
        length = per_row(torch.where(best_norm.isinf(), 2.0, step_size) * eps, change)
        change = shrink(change - length * unit_step(gradient, norm), eps, norm)
        change = (images + change).clamp(0, 1) - images
    return best
