"""gradient_sum: the squared norm of the whole gradient under a confounding label, without training."""

from __future__ import annotations

from torch import Tensor


def gradient_sum(gradient_norms: Tensor, *, label: str = "softmax_all") -> Tensor:
    """Return the squared norm of the whole gradient per row.

    gradient_norms: (N, P), squared, of the confounding label that `label` names. The sign is that of the papers,
    fixed before any result. At the last layer it points the other way, because confident rows have the larger
    gradient. So an AUROC below 0.5 is possible, and is reported as it is.

    Returns:
        (N,), at least 0; higher is more anomalous.

    References:
        Lee & AlRegib 2020; docs/papers/gradient_detection.md, Gradient features.
    """
    return gradient_norms.sum(dim=1)
