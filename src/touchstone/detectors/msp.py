"""msp: the maximum softmax probability, negated."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import PositiveFloat


def msp(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return minus the largest softmax probability per row.

    logits: (N, K) before any softmax.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Hendrycks & Gimpel 2017, section 2.
    """
    return -(logits / temperature).softmax(dim=1).amax(dim=1)
