"""max_logit: minus the largest logit."""

from __future__ import annotations

from torch import Tensor


def max_logit(logits: Tensor) -> Tensor:
    """Return minus the largest logit per row.

    logits: (N, K). Unlike the softmax the score does not saturate.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Hendrycks et al. 2022, section 3.
    """
    return -logits.amax(dim=1)
