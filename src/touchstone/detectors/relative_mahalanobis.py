"""relative_mahalanobis: distance to the nearest class mean, less the distance to all classes together."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances


def fit(fit_features: Tensor, fit_labels: Tensor, *, shrinkage: UnitInterval = 1e-6) -> dict[str, Tensor]:
    """Return class means (K, D) and shared whitening (D, D), and the mean and whitening of all ID features (N, D).

    shrinkage as in `mahalanobis`, for both covariances.  Ren et al. 2021, eq. 1 and 2.
    """
    means, whitening = fit_gaussians(fit_features, fit_labels, shrinkage=shrinkage)
    mean, background = fit_gaussians(fit_features, torch.zeros_like(fit_labels), shrinkage=shrinkage)
    return {"means": means, "whitening": whitening, "background_mean": mean, "background_whitening": background}


def relative_mahalanobis(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the least squared distance to a class minus that to the background, (N,); higher is more anomalous.

    features (N, D) of the fitted layer; unbounded on both sides.  Ren et al. 2021, eq. 3 and 4.
    """
    classes = squared_distances(features, state["means"], state["whitening"]).amin(dim=1)
    background = squared_distances(features, state["background_mean"], state["background_whitening"])[:, 0]
    return classes - background
