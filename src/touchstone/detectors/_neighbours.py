"""Distances to the nearest of a set of reference rows."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest_distances(features: Tensor, references: Tensor, k: int) -> Tensor:
    """Return the Euclidean distance of each row to its k nearest references, (N, k), ascending.

    features (N, D), references (M, D).  Which references are nearest is found without a graph; the distances to them
    are then taken from the differences, so they are exact where features nearly coincide and differentiable in
    `features`.  ValueError where k exceeds M.
    """
    if k > len(references):
        raise ValueError(f"k must be at most the {len(references)} reference rows fitted, got {k}")
    references = references.to(features)
    with torch.no_grad():
        nearest = torch.cdist(features, references).topk(k, dim=1, largest=False).indices
    distances: Tensor = torch.linalg.vector_norm(features[:, None] - references[nearest], dim=2)
    return distances
