"""Training without labels: two views of an image should be alike (SimCLR)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.models.networks.readouts import recorded_features
from touchstone.numerics.tensors import RandomStreams, per_row


def companions(
    input_shape: tuple[int, int, int], *, features: PositiveInt = 128, projected: PositiveInt = 64
) -> nn.Module:
    """Return what is trained with the encoder: the projection head, two layers with a ReLU between them.

    Args:
        input_shape: of one image, not used.
        features: width of the encoder's features, the input of its last linear layer, and of the head's hidden layer.
        projected: width of the projection, on which the loss is computed.

    References:
        Chen et al. 2020 (SimCLR), section 2.1 and figure 8.
    """
    return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, projected))


def contrastive(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    companions: nn.Module,
    *,
    temperature: PositiveFloat = 0.5,
    turn: NonNegativeFloat = 15.0,
    move: UnitInterval = 0.1,
    resize: UnitInterval = 0.15,
    dim: UnitInterval = 0.4,
) -> Tensor:
    """Pull two views of each image together, and apart from the rest of the batch.

    The loss is computed on a projection of the features. Afterwards the projection head is thrown away, and detectors read
    the features before it, the input of the model's last linear layer. That layer is not trained. Views keep what a grey
    digit or garment is: they are turned, moved, resized and dimmed. SimCLR also flips and recolours, which would turn some
    classes into others, or do nothing. No noise is added: features that ignore noise ignore attacks, too.

    Args:
        model: images in [0, 1] to outputs (N, K), whose features are trained.
        images: (N, C, H, W) in [0, 1].
        labels: not used.
        generator: random streams of the images, for the views.
        companions: the projection head, being trained.
        temperature: of the NT-Xent loss.
        turn: greatest rotation in degrees.
        move: greatest shift, as a share of the side.
        resize: greatest change of size, as a share.
        dim: greatest loss of contrast, as a share.

    Returns:
        The NT-Xent loss, the mean over both views.

    Raises:
        ValueError: the head is not as wide as the features.

    References:
        Chen et al. 2020 (SimCLR), section 2.1 and eq. 1; Sehwag et al. 2021 (SSD), section 3.1; the encoder of
        docs/papers/translation.md, "Router".
    """
    views = [_view(images, generator, turn, move, resize, dim) for _ in range(2)]
    return nt_xent(torch.cat([companions(_features(model, view, companions)) for view in views]), temperature)


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


def _features(model: nn.Module, images: Tensor, head: nn.Module) -> Tensor:
    with recorded_features(model) as recorded:
        model(images)
    expected = next(head.parameters()).shape[1]
    if recorded[0].shape[1] != expected:
        raise ValueError(
            f"the encoder has {recorded[0].shape[1]} features, and its projection head expects {expected}:"
            f" set features to {recorded[0].shape[1]}"
        )
    return recorded[0]


def _view(images: Tensor, generator: RandomStreams, turn: float, move: float, resize: float, dim: float) -> Tensor:
    draws = 2 * generator.uniform((5,), images.dtype) - 1
    angle = draws[:, 0] * turn * torch.pi / 180
    size = 1 + draws[:, 1] * resize
    cosine, sine = angle.cos() / size, angle.sin() / size
    sides = images.shape[2] / images.shape[3]  # the grid counts each side from -1 to 1
    rows = [cosine, -sine * sides, 2 * move * draws[:, 2], sine / sides, cosine, 2 * move * draws[:, 3]]
    grid = functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    return (moved * per_row(1 - dim * draws[:, 4].abs(), images)).clamp(0, 1)
