"""ssd: distance to one Gaussian of self-supervised features, which needs no labels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances
from touchstone.detectors._scales import usable_scales


def fit(fit_features: Tensor, *, shrinkage: UnitInterval = 1e-6) -> dict[str, Tensor]:
    """Return centre, scale and one Gaussian of ID features on the unit sphere.

    Centre (D,), scale (D,), mean (1, D) and whitening (D, D). Features (N, D) are scaled to length 1, then
    standardised. A unit that never varies keeps its scale. `shrinkage` is the share of the mean variance mixed into
    every direction; ValueError if it leaves the covariance singular, or if no unit varies.

    References:
        Sehwag et al. 2021; docs/papers/translation.md, Router.
    """
    rows = _directions(fit_features.detach().double())
    centre, scale = rows.mean(0), usable_scales(rows, rows.std(0, correction=0), fit_features.dtype)
    standard = (rows - centre) / scale
    means, whitening = fit_gaussians(standard, torch.zeros(len(rows), dtype=torch.int64), shrinkage=shrinkage)
    return {"centre": centre, "scale": scale, "means": means, "whitening": whitening}


def ssd(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the squared Mahalanobis distance of each row's direction.

    features: (N, D) of the fitted layer of an encoder that was trained without labels.

    Returns:
        (N,), at least 0; higher is more anomalous.

    References:
        docs/papers/translation.md, Router: no sign is turned.
    """
    centre, scale = (state[name].to(features.device, torch.float64) for name in ("centre", "scale"))
    standard = (_directions(features.double()) - centre) / scale
    return squared_distances(standard, state["means"], state["whitening"])[:, 0].to(features.dtype)


def _directions(features: Tensor) -> Tensor:
    """Return each row scaled to length 1."""
    return functional.normalize(features, dim=1)
