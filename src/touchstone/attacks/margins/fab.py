"""The fast adaptive boundary attack (FAB): projections onto linearised boundaries."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import Norm, check_images, unit_step
from touchstone.attacks.margins._boundary import SHORTEST, crossed, cut_back, verified
from touchstone.attacks.margins._hyperplanes import dual_norms, smallest_change
from touchstone.contracts import Model, PositiveInt
from touchstone.numerics.tensors import RandomStreams, frozen, per_row, row_norms

_BIAS_TO_IMAGE = 0.1  # alpha_max, overshoot eta and backward step beta of the paper's section 4
_OVERSHOOT = 1.05
_BACKWARD = 0.9


def fab(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    steps: PositiveInt = 100,
    restarts: PositiveInt = 1,
    norm: Literal["linf", "l2"] = "linf",
) -> tuple[Tensor, Tensor]:
    """Find the smallest change of each prediction by repeated projection.

    The first run starts at the image, further ones at a random point half as far as the best margin so far. Each step costs
    one gradient per class. There is no eps above which a margin is dropped.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: not used; the margin is that of the predicted class.
        generator: random streams of the images, for the starts of further runs.
        steps: projections per run.
        restarts: runs.
        norm: of the distance.

    Returns:
        (N,) upper bounds on the distance to another prediction inside [0, 1], +inf if none was found, and (N,) bool,
        whether one was found. Each is the distance of a point whose prediction did change.

    References:
        Croce & Hein 2020 (FAB), algorithm 1; the final search is a bisection here.
    """
    check_images(images)
    with frozen(model), torch.no_grad():
        predictions = model(images).argmax(1)
        best = torch.zeros_like(images)
        best_norm = torch.full_like(images.flatten(1)[:, 0], torch.inf)
        for restart in range(restarts):
            start = images
            if restart > 0:
                start = _around(images, best_norm, norm, generator)
            change, size = _run(model, images, predictions, start, steps, norm)
            closer = size < best_norm
            best = torch.where(per_row(closer, best), change, best)
            best_norm = torch.where(closer, size, best_norm)
        return verified(model, images, predictions, cut_back(model, images, predictions, best, norm), norm)


def _around(images: Tensor, radius: Tensor, norm: Norm, generator: RandomStreams) -> Tensor:
    """Return a random point at half of `radius` (N,) from each image, clipped.

    It is at most .15 away in L-inf and .5 in L2.
    """
    shape, dtype = images.shape[1:], images.dtype
    if norm == "linf":
        noise = 2 * generator.uniform(shape, dtype) - 1
        noise, most = noise / per_row(row_norms(noise, "linf"), noise), 0.3
    else:
        noise, most = unit_step(generator.normal(shape, dtype), "l2"), 1.0
    return (images + per_row(radius.clamp(max=most) / 2, noise) * noise).clamp(0, 1)


def _nearest_boundary(model: Model, points: Tensor, predictions: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return gap (N,) and slope (N, ...) of the nearest linearised class boundary."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(points)
        leads = logits - logits.gather(1, predictions[:, None])
        gap, slope = torch.zeros_like(logits[:, 0]), torch.zeros_like(points)
        nearest = torch.full_like(gap, torch.inf)
        for other in range(logits.shape[1]):
            (slopes,) = torch.autograd.grad(leads[:, other].sum(), points, retain_graph=True)
            distance = leads[:, other].detach().abs() / dual_norms(slopes, norm).clamp_min(1e-12)
            closer = (distance < nearest) & (predictions != other)
            nearest = torch.where(closer, distance, nearest)
            gap = torch.where(closer, -leads[:, other].detach(), gap)
            slope = torch.where(per_row(closer, slope), slopes, slope)
    return gap.detach().to(points.dtype), slope.detach()


def _project(points: Tensor, slopes: Tensor, gaps: Tensor, norm: Norm) -> tuple[Tensor, Tensor]:
    """Return the smallest change inside the box onto the hyperplane, and its norm."""
    side = gaps.sign()
    change, _ = smallest_change(points, per_row(side, slopes) * slopes, gaps.abs(), norm)
    return change, row_norms(change, norm)


def _run(
    model: Model, images: Tensor, predictions: Tensor, start: Tensor, steps: int, norm: Norm
) -> tuple[Tensor, Tensor]:
    """Return the smallest change of one run, (N, ...), and its norm, (N,).

    The norm is +inf if no change was found.
    """
    points = start
    best, best_norm = torch.zeros_like(images), torch.full_like(images.flatten(1)[:, 0], torch.inf)
    for step in range(steps):
        gap, slope = _nearest_boundary(model, points, predictions, norm)
        if step == 0:
            gap = torch.where(gap < 0, gap, gap.maximum(SHORTEST * dual_norms(slope, norm)))
        # Project onto the same hyperplane from the current point and from the image.
        onward, near = _project(points, slope, gap, norm)
        gap_of_image = gap + (slope * (points - images)).flatten(1).sum(1)
        direct, far = _project(images, slope, gap_of_image, norm)
        share = per_row((near / (near + far).clamp_min(1e-12)).clamp(max=_BIAS_TO_IMAGE), points)
        points = (1 - share) * (points + _OVERSHOOT * onward) + share * (images + _OVERSHOOT * direct)
        points = points.clamp(0, 1)
        over, size = crossed(model, points, predictions), row_norms(points - images, norm)
        closer = over & (size < best_norm)
        best = torch.where(per_row(closer, best), points - images, best)
        best_norm = torch.where(closer, size, best_norm)
        points = torch.where(per_row(over, points), images + _BACKWARD * (points - images), points)
    return best, best_norm
