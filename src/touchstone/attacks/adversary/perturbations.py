"""Perturbations within a budget: balls, starts, steps and input checks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams, per_row, row_norms, to_grid_towards, uniform_between

Norm = Literal["linf", "l2"]


def check_images(images: Tensor) -> None:
    """Raise ValueError unless `images` are finite floats in [0, 1]."""
    if not images.is_floating_point():
        raise ValueError(f"images are {images.dtype}, expected floats in [0, 1]")
    low, high = (float(end) for end in images.aminmax()) if images.numel() else (0.0, 1.0)  # NaN if any pixel is
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("images contain NaN or infinity")
    if low < 0 or high > 1:
        raise ValueError(f"images are in [{low:g}, {high:g}], expected [0, 1]")


def check_inputs(model: Model, images: Tensor, labels: Tensor) -> int:
    """Check images and labels against the model, and return its number of classes K.

    Raises:
        ValueError: an image is outside [0, 1] or not finite, or a label is not an int64 class of the model.
    """
    check_images(images)
    if labels.shape != images.shape[:1] or labels.dtype != torch.int64:
        raise ValueError(f"labels are {labels.dtype} {tuple(labels.shape)}, expected int64 ({len(images)},)")
    with torch.no_grad():
        logits = model(images[:1])
    if logits.dim() != 2:
        raise ValueError(f"the model returns shape {tuple(logits.shape)}, expected logits (N, K)")
    classes = logits.shape[1]
    if bool(((labels < 0) | (labels >= classes)).any()):
        raise ValueError(f"labels are in [{int(labels.min())}, {int(labels.max())}], the model has {classes} classes")
    return classes


def resolve_step_size(step_size: float | None, eps: float, steps: int) -> float:
    """Return `step_size`, or the default 2.5 * eps / steps if it is None."""
    return 2.5 * eps / max(steps, 1) if step_size is None else step_size


def unit_step(gradient: Tensor, norm: Norm) -> Tensor:
    """Return each row's steepest direction of unit norm; 0 if the gradient is 0."""
    if norm == "linf":
        return gradient.sign()
    # Scaled first: the squares of a saturated network's gradient underflow in float32.
    gradient = gradient / per_row(row_norms(gradient, "linf").clamp_min(torch.finfo(gradient.dtype).tiny), gradient)
    return gradient / per_row(row_norms(gradient, "l2").clamp_min(1e-12), gradient)


def shrink(change: Tensor, radius: Tensor, norm: Norm) -> Tensor:
    """Return the nearest change (N, ...) whose norm is at most `radius` (N,).

    It is clamped for L-inf and scaled for L2.
    """
    if norm == "linf":
        limit = per_row(radius, change)
        return change.clamp(-limit, limit)
    return change * per_row((radius / row_norms(change, "l2").clamp_min(1e-12)).clamp(max=1), change)


@dataclass(frozen=True)
class Ball:
    """The points of [0, 1] within `eps` of each image (N, ...), in L-inf or L2."""

    images: Tensor
    eps: float
    norm: Norm = "linf"

    @cached_property
    def low(self) -> Tensor:
        """The lower corner of the box around the ball."""
        return (self.images - self.eps).clamp(min=0)

    @cached_property
    def high(self) -> Tensor:
        """The upper corner of the box around the ball."""
        return (self.images + self.eps).clamp(max=1)

    def take(self, rows: Tensor) -> Ball:
        """Return the balls of some rows."""
        return Ball(self.images[rows], self.eps, self.norm)

    def project(self, points: Tensor) -> Tensor:
        """Return a point of the ball for each row.

        For L-inf it is the nearest one; for L2 it is shrunk to eps, then clipped.
        """
        if self.norm == "l2":
            radius = torch.full_like(points.flatten(1)[:, 0], self.eps)
            points = self.images + shrink(points - self.images, radius, "l2")
        return points.clamp(self.low, self.high)

    def stored(self, points: Tensor) -> Tensor:
        """Return points of the balls rounded to 8 bits towards the images, as a study stores attacked sets."""
        return self.project(to_grid_towards(points, self.images))

    def step(self, points: Tensor, gradient: Tensor, size: float | Tensor) -> Tensor:
        """Return `points` after a step up the gradient, projected onto the ball.

        Args:
            points: (N, ...).
            gradient: (N, ...).
            size: one number, or one per row as (N, 1, ...).
        """
        return self.project(points + size * unit_step(gradient, self.norm))

    def random(self, generator: RandomStreams) -> Tensor:
        """Return a random point of each ball.

        It is uniform in the box for L-inf; for L2 it is uniform in the ball, then clipped to [0, 1].
        """
        if self.norm == "linf":
            return uniform_between(self.low, self.high, generator)
        shape, dtype = self.images.shape[1:], self.images.dtype
        direction = unit_step(generator.normal(shape, dtype), "l2")
        radius = self.eps * generator.uniform((), dtype) ** (1 / max(1, shape.numel()))
        return self.project(self.images + per_row(radius, direction) * direction)


class Unrounded(Ball):
    """The points of a ball where nobody stores them, so that no attack rounds them."""

    def take(self, rows: Tensor) -> Unrounded:
        """Return the balls of some rows."""
        return Unrounded(self.images[rows], self.eps, self.norm)

    def stored(self, points: Tensor) -> Tensor:
        """Return points of the balls as they are."""
        return points
