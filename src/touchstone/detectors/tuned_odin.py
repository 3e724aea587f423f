"""tuned_odin: ODIN with the step that separates held-out outliers best."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt
from touchstone.detectors._input_steps import best_magnitude
from touchstone.detectors._odin import direction, softmax_score, stepped_score


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
        largest: largest magnitude, in pixel units; 0.004 in the paper.
        choices: how many magnitudes are tried, 0 included.
        batch_size: images per forward pass.

    Returns:
        Temperature and magnitude, each (1,).

    References:
        Liang et al. 2018, section 3 and appendix; docs/papers/aloe.md, Deviations.
    """
    magnitude = best_magnitude(
        fit_images,
        anomalous_images,
        lambda images: direction(model, images, temperature),
        lambda images: softmax_score(model, images, temperature),
        largest=largest,
        choices=choices,
        batch_size=batch_size,
    )
    return {"temperature": torch.tensor([temperature], dtype=torch.float64), "magnitude": magnitude}


def tuned_odin(images: Tensor, model: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """Return the score of `odin` for images (N, C, H, W), with the fitted temperature and magnitude.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Liang et al. 2018, eq. 1 to 3.
    """
    return stepped_score(model, images, float(state["temperature"]), float(state["magnitude"]))
