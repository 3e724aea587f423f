"""layered_lid: local intrinsic dimensionality in every hidden layer, combined by a logistic regression."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.detectors._halves import halves
from touchstone.detectors._layer_features import all_layer_features, layer_features
from touchstone.detectors._layer_regression import fit_layer_regression, layer_regression_logit
from touchstone.detectors._neighbours import local_dimension


def fit(
    fit_images: Tensor,
    anomalous_images: Tensor,
    model: nn.Module,
    seed: int,
    *,
    references: PositiveInt = 100,
    k: PositiveInt = 20,
    layers: NonNegativeInt = 0,
    inverse_strength: PositiveFloat = 1.0,
    batch_size: PositiveInt = 250,
) -> dict[str, Tensor]:
    """Return the reference features of each hidden layer, and the weights of the layers.

    One half of the ID images, drawn by the seed, gives the references. The other half and the anomalous images train
    the regression, whose classes count equally: the nearest neighbour of a reference would be itself.

    Args:
        fit_images: ID images (N, C, H, W), at least four.
        anomalous_images: (M, C, H, W).
        model: a classifier with at least one hidden layer.
        seed: of the split.
        references: at most so many; the paper has 100, a minibatch.
        k: of `lid`.
        layers: only the last so many hidden layers; 0 for all.
        inverse_strength: C of scikit-learn's LogisticRegression, on standardised estimates.
        batch_size: images per forward pass.

    Returns:
        Per layer references (M, D); centre, scale and weights (L,), bias (1,).

    Raises:
        ValueError: If the network has no hidden layer, or if there are too few ID images.

    References:
        Ma et al. 2018, section 4 and algorithm 1.
    """
    first, second = halves(len(fit_images), seed)
    features = all_layer_features(model, fit_images[first[:references]], batch_size)[-layers:]
    state = {f"references.{layer}": rows for layer, rows in enumerate(features)}
    known, anomalous = (
        _estimates(all_layer_features(model, images, batch_size), state, k)
        for images in (fit_images[second], anomalous_images)
    )
    return state | fit_layer_regression(known, anomalous, inverse_strength=inverse_strength, dtype=fit_images.dtype)


def layered_lid(images: Tensor, model: nn.Module, state: dict[str, Tensor], *, k: PositiveInt = 20) -> Tensor:
    """Return the regression's logit of "anomalous" per image.

    Args:
        images: (N, C, H, W).
        model: the classifier.
        state: of `fit`.
        k: of `lid`, from 2 to the number of references.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Ma et al. 2018, eq. 4 and algorithm 1.
    """
    return layer_regression_logit(_estimates(layer_features(model, images), state, k), state, images.dtype)


def _estimates(layers: list[Tensor], state: dict[str, Tensor], k: int) -> Tensor:
    """Return the estimate of `lid` per row and layer, (N, L): of the last layers, as many as have references."""
    count = sum(name.startswith("references.") for name in state)
    kept = [state[f"references.{layer}"] for layer in range(count)]  # a stored state has its own order
    return torch.stack(
        [
            local_dimension(features, references, k)
            for features, references in zip(layers[-len(kept) :], kept, strict=True)
        ],
        dim=1,
    )
