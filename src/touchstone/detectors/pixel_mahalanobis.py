"""pixel_mahalanobis: the trivial baseline that sees raw pixels, with one Gaussian."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import UnitInterval
from touchstone.numerics.precision import float32_rounding


def fit(fit_images: Tensor, *, explained: UnitInterval = 0.95) -> dict[str, Tensor]:
    """Return the Gaussian of flattened images.

    As mean (D,), components (D, R), variances (R,) and residual (1,). Pixels are rank-deficient: borders are always
    black, or there are fewer images than pixels. So the covariance is that of probabilistic PCA. The leading
    directions that together explain at most the share `explained` of the variance keep their own variance; all others
    get the mean of the rest.

    Raises:
        ValueError: If `explained` is 1, which leaves nothing for the others, or if the images do not vary.

    References:
        Tipping & Bishop 1999, eq. 7 and 8.
    """
    if explained >= 1:
        raise ValueError(f"explained must be < 1, got {explained}")
    centred = fit_images.detach().flatten(1).to(torch.float64, copy=True)
    mean = centred.mean(0)
    centred -= mean  # in place: for many images, this is most of the memory
    covariance = centred.T @ centred / len(centred)
    del centred
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    total = values.sum()
    if not (total / len(mean)).sqrt() > float32_rounding(fit_images, steps=1):
        raise ValueError("the fitting images do not vary: there is no covariance to fit")
    kept = int((values.cumsum(0) <= explained * total).sum())
    return {
        "mean": mean,
        "components": vectors[:, :kept].contiguous(),
        "variances": values[:kept].clone(),
        "residual": values[kept:].mean().view(1),
    }


def pixel_mahalanobis(images: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return half the squared Mahalanobis distance of each image to the mean image.

    images: (N, C, H, W) of the fitted size. Computed in float64, returned in the images' dtype.

    Returns:
        (N,), at least 0; higher is more anomalous.
    """
    state = {name: values.to(images.device, torch.float64) for name, values in state.items()}
    centred = images.flatten(1).double() - state["mean"]
    along = (centred @ state["components"]).square()
    across = (centred.square().sum(1) - along.sum(1)).clamp(min=0)
    return (0.5 * ((along / state["variances"]).sum(1) + across / state["residual"])).to(images.dtype)
