"""lid: the local intrinsic dimensionality of a feature among ID features."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import PositiveInt
from touchstone.detectors._neighbours import local_dimension
from touchstone.numerics.tensors import derive


def fit(fit_features: Tensor, seed: int, *, references: PositiveInt = 100) -> dict[str, Tensor]:
    """Return ID features drawn at random, without replacement.

    `references` of them, (M, D); all if there are fewer. The paper uses each minibatch of 100 as its own references.
    With one fixed draw a score depends only on its own row.
    """
    order = torch.randperm(len(fit_features), generator=torch.Generator().manual_seed(derive(seed, "order")))
    return {"references": fit_features.detach()[order[:references]].clone()}


def lid(features: Tensor, state: dict[str, Tensor], *, k: PositiveInt = 20) -> Tensor:
    """Return the maximum-likelihood estimate -1 / mean_i log(r_i / r_k) per row.

    r_1 to r_k are the distances to the k nearest references. The paper combines the estimates of all layers by a
    supervised regression; this is one layer, unsupervised.

    Args:
        features: (N, D) of the fitted layer.
        state: of `fit`.
        k: from 2 to the number of references; ValueError otherwise.

    Returns:
        (N,), above 0; higher is more anomalous.

    References:
        Ma et al. 2018, eq. 4.
    """
    return local_dimension(features, state["references"], k)
