"""Training without labels: two views of one image are to be alike, and unlike all others of the batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, UnitInterval
from touchstone.numerics.tensors import Draws, per_row


def contrastive(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    temperature: PositiveFloat = 0.5,
    turn: NonNegativeFloat = 15.0,
    move: UnitInterval = 0.1,
    resize: UnitInterval = 0.15,
    dim: UnitInterval = 0.4,
    noise: UnitInterval = 0.05,
) -> Tensor:
    """Return the NT-Xent loss of two views of every image, the mean over both; the labels are not looked at.

    The model's outputs (N, K) are the projection; detectors read the features before it. A view is turned by up to
    `turn` degrees, moved by up to the share `move` of its side, enlarged or shrunk by up to `resize`, its contrast
    lowered by up to `dim`, and given Gaussian noise of that standard deviation: what leaves a gray digit or garment the
    same. No flips and no colours, which SimCLR has: they would turn some classes into others, or do nothing.
    Chen et al. 2020, eq. 1, section 2.1; the encoder of papers.md 5.b.
    """
    views = [_view(images, generator, turn, move, resize, dim, noise) for _ in range(2)]
    return nt_xent(torch.cat([model(view) for view in views]), temperature)


def nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Return -log of the share of exp(cosine / temperature) that the other view has among all other rows, the mean.

    projections (2N, D): row i and row i + N are views of one image. log(2N - 1) where all rows are alike.
    """
    directions = functional.normalize(projections, dim=1)
    count = len(directions) // 2
    alike = directions @ directions.T / temperature
    alike = alike.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=alike.device), -torch.inf)
    partners = torch.arange(2 * count, device=alike.device).roll(count)
    return functional.cross_entropy(alike, partners)


def _view(
    images: Tensor, generator: Draws, turn: float, move: float, resize: float, dim: float, noise: float
) -> Tensor:
    draws = 2 * generator.uniform((5,), images.dtype) - 1
    angle = draws[:, 0] * turn * torch.pi / 180
    size = 1 + draws[:, 1] * resize
    cosine, sine = angle.cos() / size, angle.sin() / size
    rows = [cosine, -sine, 2 * move * draws[:, 2], sine, cosine, 2 * move * draws[:, 3]]
    grid = functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    dimmed = moved * per_row(1 - dim * draws[:, 4].abs(), images)
    return (dimmed + noise * generator.normal(images.shape[1:], images.dtype)).clamp(0, 1)
