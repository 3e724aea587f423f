"""A logistic regression on one number per hidden layer: the weights of layers in detectors that read all of them."""

from __future__ import annotations

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from touchstone.detectors._scales import usable_scales


def fit_layer_regression(
    in_distribution: Tensor, anomalous: Tensor, *, inverse_strength: float, dtype: torch.dtype
) -> dict[str, Tensor]:
    """Return the regression that tells anomalous rows from in-distribution ones; both classes count equally.

    Args:
        in_distribution: (N, L).
        anomalous: (M, L).
        inverse_strength: C of scikit-learn's LogisticRegression, on standardised columns.
        dtype: that the numbers were rounded to.

    Returns:
        Centre, scale and weights, each (L,), and bias (1,).

    Raises:
        ValueError: If a number is NaN or infinite, or if no column varies.
    """
    together = torch.cat([in_distribution, anomalous]).double()
    if not bool(together.isfinite().all()):
        raise ValueError("the distances of some images are NaN or infinite")
    centre, scale = together.mean(0), usable_scales(together, together.std(0), dtype)
    targets = torch.cat([torch.zeros(len(in_distribution)), torch.ones(len(anomalous))])
    regression = LogisticRegression(C=inverse_strength, class_weight="balanced", max_iter=1000)
    regression.fit(((together - centre) / scale).cpu().numpy(), targets.numpy())
    return {
        "centre": centre,
        "scale": scale,
        "weights": torch.from_numpy(regression.coef_[0].copy()),
        "bias": torch.from_numpy(regression.intercept_.copy()),
    }


def layer_regression_logit(values: Tensor, state: dict[str, Tensor], dtype: torch.dtype) -> Tensor:
    """Return the logit of "anomalous" per row of `values` (N, L), (N,), in `dtype`."""
    rest = {name: state[name].to(values.device, torch.float64) for name in ("centre", "scale", "weights", "bias")}
    return (((values.double() - rest["centre"]) / rest["scale"]) @ rest["weights"] + rest["bias"]).to(dtype)
