"""Class-conditional Gaussians with one shared covariance: the fit, and squared Mahalanobis distances."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.numerics.precision import float32_rounding


def fit_gaussians(features: Tensor, labels: Tensor, *, shrinkage: float) -> tuple[Tensor, Tensor]:
    """Return the mean of each class and the whitening of their covariance.

    Args:
        features: (N, D).
        labels: (N,), any integers.
        shrinkage: share of the mean variance on the diagonal: (1 - shrinkage) * covariance + shrinkage * variance *
            I.

    Returns:
        Means (K, D) of the classes that occur and whitening (D, D), both float64: a covariance of trained features
        spans more orders of magnitude than float32 resolves.

    Raises:
        ValueError: If the features do not vary within a class, or if `shrinkage` is too small to invert the
            covariance.

    References:
        Lee et al. 2018, section 2.1: the covariance is the pooled scatter over N.
    """
    features = features.detach().double()
    _, rows = torch.unique(labels, return_inverse=True)
    means = torch.stack([features[rows == label].mean(0) for label in range(int(rows.max()) + 1)])
    centred = features - means[rows]
    covariance = centred.T @ centred / len(features)
    variance = covariance.diagonal().mean()
    if not variance.sqrt() > float32_rounding(features):
        raise ValueError("the fitting features do not vary within a class: there is no covariance to fit")
    rounding = float32_rounding(features, steps=1) ** 2
    covariance = (1 - shrinkage) * covariance + shrinkage * variance * torch.eye(len(covariance)).to(covariance)
    values, vectors = torch.linalg.eigh(covariance)
    if not values[0] > max(len(values) * torch.finfo(values.dtype).eps * float(values[-1]), rounding):
        raise ValueError(f"shrinkage {shrinkage:g} leaves the covariance singular: raise it, or fit on more rows")
    # Row-major, as it will be stored: in another layout the same product rounds differently.
    return means, (vectors / values.sqrt()).contiguous()


def squared_distances(features: Tensor, means: Tensor, whitening: Tensor) -> Tensor:
    """Return (f - mean)^T covariance^-1 (f - mean) of every row to every mean.

    (N, K), at least 0. Computed in float64, because whitening amplifies small differences; returned in the dtype of
    `features`, (N, D).
    """
    whitening = whitening.to(features.device, torch.float64)
    rows = features.double() @ whitening
    centres = means.to(whitening) @ whitening
    return (rows[:, None] - centres).square().sum(2).to(features.dtype)
