"""relative_mahalanobis: distance to the nearest class mean minus the distance to all classes together."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances


def fit(fit_features: Tensor, fit_labels: Tensor, *, shrinkage: UnitInterval = 1e-6) -> dict[str, Tensor]:
    """Return means and whitening of the classes and of all ID features.

    Means (K, D) and (1, D), whitenings (D, D). `shrinkage` as in `mahalanobis`, for both covariances.

    References:
        Ren et al. 2021, eq. 1 and 2.
    """
    means, whitening = fit_gaussians(fit_features, fit_labels, shrinkage=shrinkage)
    mean, background = fit_gaussians(fit_features, torch.zeros_like(fit_labels), shrinkage=shrinkage)
    return {"means": means, "whitening": whitening, "background_mean": mean, "background_whitening": background}


def relative_mahalanobis(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the least squared distance to a class minus that to the background.

    features: (N, D) of the fitted layer.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Ren et al. 2021, eq. 3 and 4.
    """
    classes = squared_distances(features, state["means"], state["whitening"]).amin(dim=1)
    background = squared_distances(features, state["background_mean"], state["background_whitening"])[:, 0]
    return classes - background
