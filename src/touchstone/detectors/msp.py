"""msp: the maximum softmax probability, negated."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.contracts import PositiveFloat


def msp(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return minus the largest softmax probability per row.

    logits: (N, K) before any softmax.

    Returns:
        (N,), from -1 to -1/K; higher is more anomalous.

    References:
        Hendrycks & Gimpel 2017, section 2.
    """
    scaled = logits / temperature
    top, winner = scaled.max(dim=1)
    others = scaled.scatter(1, winner[:, None], -torch.inf).logsumexp(dim=1)
    # As a softmax this would be the same number. But where its gradient rounds to 0 for the winner, it turns.
    return -functional.logsigmoid(top - others).exp()
