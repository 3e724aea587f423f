"""energy: the free energy of the logits."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import PositiveFloat


def energy(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return one free energy per row.

    -T logsumexp(logits / T), for logits (N, K) before any softmax.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Liu et al. 2020, eq. 4.
    """
    return -temperature * torch.logsumexp(logits / temperature, dim=1)
