"""react: the energy of the logits after unusually large features are clipped."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from touchstone.contracts import UnitInterval
from touchstone.detectors._last_layer import last_layer


def fit(fit_logits: Tensor, fit_features: Tensor, *, quantile: UnitInterval = 0.9) -> dict[str, Tensor]:
    """Return the ceiling of the features and the weight of the last layer.

    The ceiling (1,) is a quantile of all ID feature values. The weight (K, D) is recovered from logits (N, K) and
    features (N, D).

    References:
        Sun et al. 2021, section 3.
    """
    weight, _ = last_layer(fit_features, fit_logits)
    return {"ceiling": _quantile(fit_features.detach().double().flatten(), quantile).view(1), "weight": weight}


def react(logits: Tensor, features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the energy of the logits that clipped features would give.

    logits (N, K) and features (N, D) are of the same rows. What clipping removes from a feature is removed from the
    logits.

    Returns:
        (N,), -logsumexp, unbounded; higher is more anomalous.

    References:
        Sun et al. 2021, eq. 4 and 6.
    """
    excess = (features - state["ceiling"].to(features)).clamp(min=0)
    return -torch.logsumexp(logits - excess @ state["weight"].to(features).T, dim=1)


def _quantile(values: Tensor, share: float) -> Tensor:
    """Return the linearly interpolated quantile; torch's own accepts at most 16 million values."""
    place = share * (len(values) - 1)
    below = int(place)
    places = [below, min(below + 1, len(values) - 1)]
    low, high = np.partition(values.cpu().numpy(), places)[places]
    return torch.tensor(low + (place - below) * (high - low))
