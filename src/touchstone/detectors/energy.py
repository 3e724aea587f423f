"""energy: the free energy of the logits."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import PositiveFloat


def energy(logits: Tensor, *, temperature: PositiveFloat = 1.0) -> Tensor:
    """Return one free energy per row, (N,), unbounded; higher is more anomalous.

    -T logsumexp(logits / T), with logits (N, K) before any softmax.  Liu et al. 2020, eq. 4.
    """
    return -temperature * torch.logsumexp(logits / temperature, dim=1)
