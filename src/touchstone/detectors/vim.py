"""vim: a virtual logit for the part of a feature that ID features lack, compared with the real logits."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.contracts import PositiveInt
from touchstone.detectors._last_layer import last_layer
from touchstone.numerics.precision import EPSILON, float32_rounding

RESOLVED = (
    1024  # steps of float32 that the residual needs, of the length of the features, so that alpha enlarges no noise
)


def fit(fit_logits: Tensor, fit_features: Tensor, *, dimensions: PositiveInt | None = None) -> dict[str, Tensor]:
    """Return the origin and the residual space of ID features, and the scale alpha.

    Origin (D,), residual (D, D - dimensions), alpha (1,). The origin is the feature at which the last layer gives no
    logit, computed from the logits (N, K).

    Args:
        fit_logits: (N, K).
        fit_features: (N, D).
        dimensions: of the principal space; None: `default_dimensions`.

    Raises:
        ValueError: If `dimensions` leaves no residual but rounding, as if half the units never fire, or if the mean largest
            logit is not positive.

    References:
        Wang et al. 2022, eq. 4 to 6.
    """
    features, width = fit_features.detach().double(), fit_features.shape[1]
    if dimensions is None:
        dimensions = default_dimensions(width)
    if dimensions >= width:
        raise ValueError(f"dimensions must be < {width}, the number of features, got {dimensions}")
    weight, bias = last_layer(fit_features, fit_logits)
    # Float32 does not resolve smaller directions of a recovered weight; their inverse would be noise.
    origin = -torch.linalg.pinv(weight, rtol=max(weight.shape) * EPSILON) @ bias
    centred = features - origin
    residual = torch.linalg.eigh(centred.T @ centred)[1][:, : width - dimensions].contiguous()  # ascending
    length = torch.linalg.vector_norm(centred @ residual, dim=1).mean()
    if not length > float32_rounding(torch.linalg.vector_norm(centred, dim=1).mean(), steps=RESOLVED):
        raise ValueError(
            f"the features span no more than the {dimensions} dimensions of the principal space, so there is no residual"
        )
    alpha = fit_logits.detach().double().amax(1).mean() / length
    if not 0 < alpha < torch.inf:
        raise ValueError(
            f"alpha must be positive and finite, got {float(alpha):g}: the largest logits are mostly negative"
        )
    return {"origin": origin, "residual": residual, "alpha": alpha.view(1)}


def default_dimensions(width: int) -> int:
    """Return the authors' size of the principal space for a feature width."""
    return 1000 if width >= 2048 else 512 if width >= 768 else width // 2


def vim(logits: Tensor, features: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return alpha times the length of the residual minus logsumexp(logits).

    logits (N, K) and features (N, D) are of the same rows. The score is a monotone function of the softmax
    probability of the virtual logit, without its saturation.

    Returns:
        (N,), unbounded; higher is more anomalous.

    References:
        Wang et al. 2022, eq. 7 and section 4.3.
    """
    origin, residual, alpha = (state[name].to(features) for name in ("origin", "residual", "alpha"))
    length: Tensor = torch.linalg.vector_norm((features - origin) @ residual, dim=1)
    return alpha * length - torch.logsumexp(logits, dim=1)
