"""gradient_sum: the summed squared gradient under a confounding label, without any training."""

from __future__ import annotations

from torch import Tensor


def gradient_sum(gradient_norms: Tensor, *, label: str = "softmax_all") -> Tensor:
    """Return the squared norm of the whole gradient per row, (N,), at least 0; higher counts as more anomalous.

    gradient_norms (N, P), squared, of the confounding label named by `label`.  The sign is the papers', fixed before
    any result: at the last layer it points the other way (confident rows have the larger gradient), so an AUROC below
    0.5 is possible and is reported as it is.  Lee & AlRegib 2020; papers.md 1.b.
    """
    return gradient_norms.sum(dim=1)
