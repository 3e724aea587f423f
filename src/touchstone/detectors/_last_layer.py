"""The last linear layer of a network, recovered from its inputs and outputs."""

from __future__ import annotations

import torch
from torch import Tensor


def last_layer(features: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight and bias of the linear map from features to logits.

    A detector can so be fitted on stored outputs, without the network. The least-squares solution is exact up to the
    rounding of the inputs. A feature that never varies (of a unit that never fires) gets weight 0.

    Args:
        features: (N, D), inputs of the last layer.
        logits: (N, K), its outputs.

    Returns:
        Weight (K, D) and bias (K,), float64.

    Raises:
        ValueError: If there are too few rows, copies of a row not counted, or if no linear map fits. The features then come
            from another layer.
    """
    rows, width = features.shape
    if rows <= width:
        raise ValueError(f"recovering the last layer needs more rows than the {width} features, got {rows}")
    varying = int((features != features[:1]).any(0).sum())
    distinct = len({row.tobytes() for row in features.detach().cpu().numpy()})
    if distinct <= varying:
        raise ValueError(
            f"recovering the last layer needs more rows than the {varying} features that vary, got {distinct} that differ"
        )
    inputs = torch.cat([features.detach().double(), features.new_ones(rows, 1).double()], dim=1)
    outputs = logits.detach().double()
    # The triangular factor has the inputs' singular values and is a thousand times smaller. Squaring it costs digits; one
    # refinement step with the residual restores them (corrected semi-normal equations; Björck 1987).
    inverse = torch.linalg.pinv(torch.linalg.qr(inputs, mode="r")[1], rtol=10 * torch.finfo(logits.dtype).eps)
    inverse = inverse @ inverse.T
    solution = inverse @ (inputs.T @ outputs)
    solution += inverse @ (inputs.T @ (outputs - inputs @ solution))
    error, scale = (inputs @ solution - outputs).abs().max(), outputs.abs().max()
    if not error <= 1e-3 * scale:
        raise ValueError(
            f"the logits are not a linear map of these features (off by {error / scale:.1%}): not the penultimate ones"
        )
    return solution[:-1].T.contiguous(), solution[-1].clone()
