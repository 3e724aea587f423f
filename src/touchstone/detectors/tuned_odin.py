"""tuned_odin: ODIN with the step that separates held-out outliers best."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt
from touchstone.detectors._odin import direction, softmax_score
from touchstone.numerics.tensors import batches


def fit(
    fit_images: Tensor,
    anomalous_images: Tensor,
    model: nn.Module,
    *,
    temperature: PositiveFloat = 1000.0,
    largest: NonNegativeFloat = 0.004,
    choices: PositiveInt = 21,
    batch_size: PositiveInt = 250,
) -> dict[str, Tensor]:
    """Return the temperature and the magnitude of the step that lets the fewest outliers pass.

    The magnitude is one of `choices` values from 0 to `largest`. The smallest wins among those whose threshold for 95 %
    of the ID images accepts the fewest anomalous images.

    Args:
        fit_images: ID images (N, C, H, W).
        anomalous_images: (M, C, H, W), of families that no test set is of.
        model: images to logits.
        temperature: T.
        largest: largest magnitude, in pixel units; the paper's 0.004 applies to normalised images.
        choices: how many magnitudes are tried, 0 included.
        batch_size: images per forward pass.

    Returns:
        Temperature and magnitude, each (1,).

    References:
        Liang et al. 2018, section 3 and appendix; docs/papers/aloe.md, Deviations.
    """
    tried = torch.linspace(0, largest, choices, dtype=torch.float64)
    known, anomalous = (
        _scores(model, images, temperature, tried, batch_size) for images in (fit_images, anomalous_images)
    )
    thresholds = known.quantile(0.95, dim=1, keepdim=True)
    best = (anomalous <= thresholds).double().mean(1).argmin()  # the first, and so the smallest
    return {"temperature": torch.tensor([temperature], dtype=torch.float64), "magnitude": tried[best].view(1)}


def tuned_odin(images: Tensor, model: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """Return the score of `odin` for images (N, C, H, W), with the fitted temperature and magnitude.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Liang et al. 2018, eq. 1 to 3.
    """
    temperature, magnitude = float(state["temperature"]), float(state["magnitude"])
    if magnitude > 0:
        images = images - magnitude * direction(model, images, temperature)
    return softmax_score(model, images, temperature)


def _scores(model: nn.Module, images: Tensor, temperature: float, magnitudes: Tensor, batch_size: int) -> Tensor:
    """Return the scores of images at each magnitude, (magnitudes, N); all share one gradient per image."""
    columns = []
    for (batch,) in batches(batch_size, images):
        signs = direction(model, batch, temperature)
        with torch.no_grad():
            steps = (batch - float(magnitude) * signs for magnitude in magnitudes)
            columns.append(torch.stack([softmax_score(model, step, temperature) for step in steps]))
    return torch.cat(columns, dim=1)
