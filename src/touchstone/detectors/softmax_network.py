"""softmax_network: the supervised baseline of gradient_network that reads the sorted softmax."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.detectors._two_layer_net import fit_two_layer_net, log_scale, two_layer_logit


def fit(
    fit_logits: Tensor,
    anomalous_logits: Tensor,
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
    """Return the state of a network that separates ID from anomalous logits.

    A network of two layers; logits are (N0, K) and (N1, K). Its inputs are log(p + 1e-12) of the probabilities in
    descending order, standardised. Preparation, network and schedule are those of `gradient_network`. The gradients
    are the only difference.

    References:
        docs/papers/gradient_detection.md, What is built.
    """
    return fit_two_layer_net(
        _inputs(fit_logits),
        _inputs(anomalous_logits),
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


def softmax_network(logits: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the network's logit of "anomalous" per row.

    logits: (N, K) of the fitted network.

    Returns:
        (N,), unbounded; higher is more anomalous.
    """
    return two_layer_logit(_inputs(logits), state)


def _inputs(logits: Tensor) -> Tensor:
    return log_scale(logits.softmax(dim=1).sort(dim=1, descending=True).values)
