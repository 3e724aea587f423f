"""mahalanobis: distance to the nearest class mean, under one covariance for all classes."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances


def fit(fit_features: Tensor, fit_labels: Tensor, *, shrinkage: UnitInterval = 1e-6) -> dict[str, Tensor]:
    """Return the class means and the whitening of the shared covariance.

    Means (K, D) and whitening (D, D) of ID features (N, D). `shrinkage` is the share of the mean variance mixed into
    every direction. The default only makes the covariance invertible. A unit that never fires in the fit then counts much
    once it does. ValueError if it is too small to invert.

    References:
        Lee et al. 2018, eq. 1.
    """
    means, whitening = fit_gaussians(fit_features, fit_labels, shrinkage=shrinkage)
    return {"means": means, "whitening": whitening}


def mahalanobis(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return half the squared Mahalanobis distance to the nearest class mean.

    features: (N, D) of the fitted layer.

    Returns:
        (N,), at least 0; higher is more anomalous.

    References:
        Lee et al. 2018, eq. 2, without input preprocessing and with one layer.
    """
    return 0.5 * squared_distances(features, state["means"], state["whitening"]).amin(dim=1)
