"""Stand-ins for an input margin: one number per row from a single forward pass, larger for inputs further away."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy import special

from touchstone.evaluations.statistics.estimators import Array, logit_margins


def _probabilities(logits: Array) -> Array:
    return np.asarray(special.softmax(logits.astype(np.float64), axis=1))


def _entropy(logits: Array) -> Array:
    return np.asarray(special.entr(_probabilities(logits)).sum(axis=1))


# The sign is part of the definition: uncertainty counts as close. The paper's code chose it by the result.
PROXIES: dict[str, Callable[[Array], Array]] = {
    "probability_margin": lambda logits: logit_margins(_probabilities(logits)),
    "max_probability": lambda logits: np.asarray(_probabilities(logits).max(axis=1)),
    "max_logit": lambda logits: np.asarray(logits.astype(np.float64).max(axis=1)),
    "entropy": lambda logits: -_entropy(logits),
    "energy": lambda logits: np.asarray(special.logsumexp(logits.astype(np.float64), axis=1)),
    "gini": lambda logits: np.asarray((_probabilities(logits) ** 2).sum(axis=1) - 1),
}


def last_layer(weights: Mapping[str, Array], features: Array, logits: Array) -> Array | None:
    """Return the (K, D) matrix of a checkpoint's weights that maps features to logits; None if no matrix does.

    It is recognised by its effect and not by its name: with its bias it has to reproduce the logits, up to float32
    rounding.

    Args:
        weights: every weight of the checkpoint by name.
        features: penultimate features, (N, D).
        logits: (N, K).
    """
    shape = (logits.shape[1], features.shape[1])
    inputs, outputs = features.astype(np.float64), logits.astype(np.float64)
    scale = np.abs(outputs).max()
    for name, weight in weights.items():
        bias = weights.get(name.removesuffix("weight") + "bias", np.zeros(shape[0]))
        if weight.shape == shape and bias.shape == shape[:1]:
            error = np.abs(inputs @ weight.T.astype(np.float64) + bias - outputs).max()
            if error <= 1e-3 * scale:
                return weight.astype(np.float64)
    return None


def feature_margins(logits: Array, weight: Array, norm: str = "linf") -> Array:
    """Return the exact distance of each row's features to the nearest hyperplane of another class, (N,), at least 0.

    min over j of (z_i - z_j) / ||w_i - w_j||, where i is the predicted class.

    Args:
        logits: (N, K).
        weight: of the last layer, (K, D).
        norm: "linf" divides by the dual L1 norm, "l2" by the L2 norm.

    Returns:
        The distances; +inf if every other class has the same row of weights.

    References:
        Ngnawe et al. 2024; docs/papers/margin_consistency.md, "Definitions".
    """
    logits, weight = logits.astype(np.float64), weight.astype(np.float64)
    dual = np.linalg.norm(weight[:, None] - weight[None], ord=1 if norm == "linf" else 2, axis=2)
    rows, own = np.arange(len(logits)), logits.argmax(axis=1)
    gaps, slopes = logits[rows, own, None] - logits, dual[own]
    distances = np.divide(gaps, slopes, out=np.full_like(gaps, np.inf), where=slopes > 0)
    distances[rows, own] = np.inf
    return np.asarray(distances.min(axis=1))
