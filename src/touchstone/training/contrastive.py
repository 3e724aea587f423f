"""Training without labels: two views of an image should be alike (SimCLR)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, UnitInterval
from touchstone.numerics.tensors import RandomStreams, per_row


def contrastive(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    temperature: PositiveFloat = 0.5,
    turn: NonNegativeFloat = 15.0,
    move: UnitInterval = 0.1,
    resize: UnitInterval = 0.15,
    dim: UnitInterval = 0.4,
    noise: UnitInterval = 0.05,
) -> Tensor:
    """Pull two views of each image together, and apart from the rest of the batch.

    The model's outputs (N, K) are the projection; detectors read the features before it. Views keep what a grey digit or
    garment is: they are turned, moved, resized, dimmed and made noisy. SimCLR also flips and recolours, which would turn
    some classes into others, or do nothing.

    Args:
        model: images in [0, 1] to projections (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: not used.
        generator: random streams of the images, for the views.
        temperature: of the NT-Xent loss.
        turn: greatest rotation in degrees.
        move: greatest shift, as a share of the side.
        resize: greatest change of size, as a share.
        dim: greatest loss of contrast, as a share.
        noise: standard deviation of the Gaussian noise in pixel units.

    Returns:
        The NT-Xent loss, the mean over both views.

    References:
        Chen et al. 2020 (SimCLR), section 2.1 and eq. 1; the encoder of docs/papers/translation.md, "Router".
    """
    views = [_view(images, generator, turn, move, resize, dim, noise) for _ in range(2)]
    return nt_xent(torch.cat([model(view) for view in views]), temperature)


def nt_xent(projections: Tensor, temperature: float) -> Tensor:
    """Return the mean NT-Xent loss; log(2N - 1) if all rows are alike.

    For each row it is -log of the other view's share of exp(cosine / temperature) among all other rows.

    Args:
        projections: (2N, D); rows i and i + N are views of the same image.
        temperature: of the cosines.
    """
    directions = functional.normalize(projections, dim=1)
    count = len(directions) // 2
    alike = directions @ directions.T / temperature
    alike = alike.masked_fill(torch.eye(2 * count, dtype=torch.bool, device=alike.device), -torch.inf)
    partners = torch.arange(2 * count, device=alike.device).roll(count)
    return functional.cross_entropy(alike, partners)


def _view(
    images: Tensor, generator: RandomStreams, turn: float, move: float, resize: float, dim: float, noise: float
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
