"""lid: the local intrinsic dimension of a feature among ID features."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import PositiveInt
from touchstone.detectors._neighbours import nearest_distances
from touchstone.numerics.tensors import derive


def fit(fit_features: Tensor, seed: int, *, references: PositiveInt = 100) -> dict[str, Tensor]:
    """Return that many ID features drawn without replacement, (M, D); all of them where there are fewer.

    The paper takes each minibatch of 100 as its own reference; one fixed draw makes a score depend on its row alone.
    """
    order = torch.randperm(len(fit_features), generator=torch.Generator().manual_seed(derive(seed, "order")))
    return {"references": fit_features.detach()[order[:references]].clone()}


def lid(features: Tensor, state: dict[str, Tensor], *, k: PositiveInt = 20) -> Tensor:
    """Return the maximum-likelihood estimate -1 / mean_i log(r_i / r_k) per row, (N,), above 0; higher is anomalous.

    features (N, D) of the fitted layer, r_1..r_k the distances to the k nearest references.  The paper feeds the
    estimates of all layers to a supervised regression; this is the one layer, unsupervised.  ValueError where k is 1 or
    above the number of references.  Ma et al. 2018, eq. 4.
    """
    if k < 2:
        raise ValueError(f"k must be at least 2, got {k}")
    distances = nearest_distances(features, state["references"], k).clamp(min=1e-12)  # a reference meets itself at 0
    ratios = (distances / distances[:, -1:]).log().mean(dim=1)
    return -1 / ratios.clamp(max=-1e-6)  # k equal distances say nothing finite
