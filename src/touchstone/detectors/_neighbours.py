"""Distances to the nearest of a set of reference rows."""

from __future__ import annotations

import torch
from torch import Tensor

PAIRS = 2**22  # distances at a time: larger blocks leave gaps in memory that later ones do not fit


def nearest_distances(features: Tensor, references: Tensor, k: int) -> Tensor:
    """Return the Euclidean distances to the k nearest references.

    The neighbours are chosen without a graph, in float64: in float32 the distances of rows that are close together for
    their length are mostly rounding. Their distances are then computed from the differences, so they are exact for
    features that nearly coincide, and differentiable in `features`.

    Args:
        features: (N, D).
        references: (M, D).
        k: number of neighbours, at most M.

    Returns:
        (N, k), ascending.

    Raises:
        ValueError: If k exceeds M.
    """
    if k > len(references):
        raise ValueError(f"k must be at most the {len(references)} reference rows fitted, got {k}")
    references = references.to(features)
    with torch.no_grad():
        exact = references.double()
        parts = features.double().split(max(1, PAIRS // len(references)))  # type: ignore[no-untyped-call]
        nearest = torch.cat([torch.cdist(part, exact).topk(k, dim=1, largest=False).indices for part in parts])
    distances: Tensor = torch.linalg.vector_norm(features[:, None] - references[nearest], dim=2).sort(dim=1).values
    return distances


def local_dimension(features: Tensor, references: Tensor, k: int) -> Tensor:
    """Return the maximum-likelihood estimate of the local intrinsic dimensionality per row, (N,); see `lid`."""
    if k < 2:
        raise ValueError(f"k must be at least 2, got {k}")
    distances = nearest_distances(features, references, k)
    farthest = distances[:, -1:].clamp(min=torch.finfo(distances.dtype).tiny)  # 0 for k copies of an image
    ratios = (distances / farthest).clamp(min=1e-12).log().mean(dim=1)  # 0 for a reference itself
    return -1 / ratios.clamp(max=-1e-6)  # k equal distances would give infinity
