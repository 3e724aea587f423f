"""knn: distance to the k-th nearest ID feature."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from touchstone.contracts import PositiveInt
from touchstone.detectors._neighbours import nearest_distances


def fit(fit_features: Tensor) -> dict[str, Tensor]:
    """Return all ID features (N, D), scaled to unit length.

    References:
        Sun et al. 2022, section 4.1.
    """
    return {"references": functional.normalize(fit_features.detach(), dim=1)}


def knn(features: Tensor, state: dict[str, Tensor], *, k: PositiveInt = 50) -> Tensor:
    """Return the distance to the k-th nearest ID feature on the unit sphere.

    features: (N, D) of the fitted layer. ValueError if fewer than k rows were fitted.

    Returns:
        (N,), from 0 to 2; higher is more anomalous.

    References:
        Sun et al. 2022, eq. 1.
    """
    return nearest_distances(functional.normalize(features, dim=1), state["references"], k)[:, -1]
