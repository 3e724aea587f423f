"""feature_network: the supervised baseline of gradient_network that reads penultimate features."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.detectors._two_layer_net import fit_two_layer_net, two_layer_logit


def fit(
    fit_features: Tensor,
    anomalous_features: Tensor,
    seed: int,
    *,
    hidden: PositiveInt = 64,
    epochs: PositiveInt = 100,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 1e-4,
    batch_size: PositiveInt = 128,
    validation_share: UnitInterval = 0.2,
    patience: PositiveInt = 20,
) -> dict[str, Tensor]:
    """Return the state of a network that separates ID from anomalous features.

    fit_features (N0, D), anomalous_features (N1, D). Two layers. Standardisation, network and schedule are those of
    `gradient_network`. But `gradient_network` reads logarithms of its gradient norms, and this network reads the
    features as they are.

    References:
        docs/papers/gradient_detection.md, What is built.
    """
    return fit_two_layer_net(
        fit_features,
        anomalous_features,
        seed,
        hidden=hidden,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        batch_size=batch_size,
        validation_share=validation_share,
        patience=patience,
    )


def feature_network(features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the network's logit of "anomalous" per row.

    features: (N, D) of the fitted layer.

    Returns:
        (N,), unbounded; higher is more anomalous.
    """
    return two_layer_logit(features, state)
