"""max_logit: how low the best class stands before any softmax."""

from __future__ import annotations

from torch import Tensor


def max_logit(logits: Tensor) -> Tensor:
    """Return minus the largest logit per row, (N,), unbounded; higher is more anomalous.

    logits (N, K).  Unlike the softmax it does not saturate.  Hendrycks et al. 2022, section 3.
    """
    return -logits.amax(dim=1)
