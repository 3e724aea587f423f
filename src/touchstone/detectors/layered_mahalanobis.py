"""layered_mahalanobis: distances to class means in every hidden layer, combined by a logistic regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt, UnitInterval
from touchstone.detectors._gaussians import fit_gaussians, squared_distances
from touchstone.detectors._halves import halves
from touchstone.detectors._layer_features import all_layer_features, layer_features
from touchstone.detectors._layer_regression import fit_layer_regression, layer_regression_logit


def fit(
    fit_images: Tensor,
    fit_labels: Tensor,
    anomalous_images: Tensor,
    model: nn.Module,
    seed: int,
    *,
    shrinkage: UnitInterval = 1e-3,
    layers: NonNegativeInt = 0,
    inverse_strength: PositiveFloat = 1.0,
    batch_size: PositiveInt = 250,
) -> dict[str, Tensor]:
    """Return the Gaussians of each hidden layer, and the weights of the layers.

    One half of the ID images, drawn by the seed, gives the Gaussians. The other half and the anomalous images train
    the regression, whose classes count equally. Distances of the images that a mean was computed from would be too
    small.

    Args:
        fit_images: ID images (N, C, H, W), at least four.
        fit_labels: (N,).
        anomalous_images: (M, C, H, W).
        model: a classifier with at least one hidden layer.
        seed: of the split.
        shrinkage: of each covariance, see `fit_gaussians`.
        layers: only the last so many hidden layers; 0 for all.
        inverse_strength: C of scikit-learn's LogisticRegression, on standardised distances.
        batch_size: images per forward pass.

    Returns:
        Per layer means (K, D) and whitening (D, D); centre, scale and weights (L,), bias (1,).

    Raises:
        ValueError: If the network has no hidden layer, or if there are fewer than four ID images.

    References:
        Lee et al. 2018, section 2.2; docs/papers/aloe.md, Deviations.
    """
    first, second = halves(len(fit_images), seed)
    state: dict[str, Tensor] = {}
    for layer, features in enumerate(all_layer_features(model, fit_images[first], batch_size)[-layers:]):
        means, whitening = fit_gaussians(features, fit_labels[first], shrinkage=shrinkage)
        state |= {f"means.{layer}": means, f"whitening.{layer}": whitening}
    in_distribution, anomalous = (
        _distances(all_layer_features(model, images, batch_size), state)
        for images in (fit_images[second], anomalous_images)
    )
    return state | fit_layer_regression(
        in_distribution, anomalous, inverse_strength=inverse_strength, dtype=fit_images.dtype
    )


def layered_mahalanobis(images: Tensor, model: nn.Module, state: dict[str, Tensor]) -> Tensor:
    """Return the regression's logit of "anomalous" per image.

    Half the squared distance to the nearest class mean in each hidden layer, standardised and weighted. It is
    differentiable through all layers. Unlike the paper's score it takes no step on the input.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        docs/papers/aloe.md, Scores.
    """
    return layer_regression_logit(_distances(layer_features(model, images), state), state, images.dtype)


def _distances(layers: list[Tensor], state: dict[str, Tensor]) -> Tensor:
    """Return half the squared distance to the nearest class mean per row and fitted layer, (N, L)."""
    fitted = sum(name.startswith("means.") for name in state)
    return torch.stack(
        [
            0.5 * squared_distances(features, state[f"means.{layer}"], state[f"whitening.{layer}"]).amin(dim=1)
            for layer, features in enumerate(layers[-fitted:])
        ],
        dim=1,
    )
