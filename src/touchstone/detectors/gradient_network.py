"""gradient_network: a small supervised network on gradient norms under a confounding label."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, UnitInterval
from touchstone.detectors._two_layer_net import fit_two_layer_net, log_scale, two_layer_logit


def fit(
    fit_gradient_norms: Tensor,
    anomalous_gradient_norms: Tensor,
    seed: int,
    *,
    label: str = "softmax_all",
    tensors: NonNegativeInt = 0,
    hidden: PositiveInt = 64,
    epochs: PositiveInt = 100,
    learning_rate: PositiveFloat = 1e-3,
    weight_decay: NonNegativeFloat = 1e-4,
    batch_size: PositiveInt = 128,
    validation_share: UnitInterval = 0.2,
    patience: PositiveInt = 20,
) -> dict[str, Tensor]:
    """Return the state of a network that separates ID from anomalous norms.

    A network of two layers; norms are (N0, P) and (N1, P). Its inputs are log(norm + 1e-12), standardised with
    training statistics: raw norms span over ten orders of magnitude. `label` names the confounding label of the
    norms. `tensors`: only the last so many parameter tensors, as the weight and the bias of the last layer; 0 for all.

    References:
        Lee et al. 2022; docs/papers/gradient_detection.md, Gradient features and Detector.
    """
    return fit_two_layer_net(
        log_scale(fit_gradient_norms[:, -tensors:]),
        log_scale(anomalous_gradient_norms[:, -tensors:]),
        seed,
        hidden=hidden,
        epochs=epochs,
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        batch_size=batch_size,
        validation_share=validation_share,
        patience=patience,
        logarithms=True,
    )


def gradient_network(gradient_norms: Tensor, state: dict[str, Tensor], *, label: str = "softmax_all") -> Tensor:
    """Return the network's logit of "anomalous" per row.

    gradient_norms: (N, P), squared, at least 0, of the confounding label that was fitted.

    Returns:
        (N,), unbounded; higher is more anomalous.
    """
    return two_layer_logit(log_scale(gradient_norms[:, -len(state["mean"]) :]), state)
