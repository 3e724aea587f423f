"""Small steps on the input before the score: the step, and the choice of its magnitude on held-out outliers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from touchstone.numerics.tensors import batches

OfImages = Callable[[Tensor], Tensor]


def stepped(images: Tensor, direction: OfImages, magnitude: float) -> Tensor:
    """Return images - magnitude * direction(images), not clipped.

    A magnitude of 0 needs no direction, and none is computed.
    """
    return images - magnitude * direction(images) if magnitude > 0 else images


def best_magnitude(
    known: Tensor,
    anomalous: Tensor,
    direction: OfImages,
    score: OfImages,
    *,
    largest: float,
    choices: int,
    batch_size: int,
) -> Tensor:
    """Return the magnitude of the step that lets the fewest outliers pass, (1,).

    The smallest wins among those whose threshold for 95 % of the ID images accepts the fewest anomalous images.

    Args:
        known: ID images (N, C, H, W).
        anomalous: (M, C, H, W).
        direction: images to their steps, which are subtracted, (N, C, H, W).
        score: images that took the step to their scores, (N,); higher is more anomalous.
        largest: the last of the magnitudes, which begin at 0 and are evenly spaced.
        choices: how many magnitudes are tried.
        batch_size: images per forward pass.

    Raises:
        ValueError: If a score is NaN or infinite.
    """
    tried = torch.linspace(0, largest, choices, dtype=torch.float64)
    id_scores, anomalous_scores = (
        _scores(images, direction, score, tried, batch_size) for images in (known, anomalous)
    )
    if not bool(id_scores.isfinite().all() and anomalous_scores.isfinite().all()):
        raise ValueError("the scores of some images are NaN or infinite")
    thresholds = id_scores.quantile(0.95, dim=1, keepdim=True)
    best = (anomalous_scores <= thresholds).double().mean(1).argmin()  # the first, and so the smallest
    return tried[best].view(1)


def _scores(images: Tensor, direction: OfImages, score: OfImages, magnitudes: Tensor, batch_size: int) -> Tensor:
    """Return the scores of images at each magnitude, (magnitudes, N).

    All magnitudes share one direction per image.
    """
    columns = []
    for (batch,) in batches(batch_size, images):
        step = direction(batch)
        with torch.no_grad():
            columns.append(torch.stack([score(batch - float(magnitude) * step) for magnitude in magnitudes]))
    return torch.cat(columns, dim=1)
