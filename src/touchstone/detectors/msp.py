"""msp: how unsure the softmax is of its best class."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import PositiveFloat


def msp(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return minus the largest softmax probability per row, (N,), from -1 to -1/K; higher is more anomalous.

    logits (N, K) before any softmax.  Hendrycks & Gimpel 2017, section 2.
    """
    return -(logits / temperature).softmax(dim=1).amax(dim=1)
