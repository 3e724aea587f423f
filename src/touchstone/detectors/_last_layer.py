"""The last linear layer of a network, recovered from what went in and what came out."""

from __future__ import annotations

import torch
from torch import Tensor


def last_layer(features: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Return weight (K, D) and bias (K,), float64, of the linear map from features (N, D) to logits (N, K).

    Least squares, exact up to the rounding of the inputs; a direction in which the features never vary (a unit that
    never fires) has weight 0.  A detector can so be fitted on stored outputs, without the network.  ValueError where
    there are too few rows, or where no linear map fits: the features are then not those of the penultimate layer.
    """
    rows, width = features.shape
    if rows <= width:
        raise ValueError(f"recovering the last layer needs more rows than the {width} features, got {rows}")
    inputs = torch.cat([features.detach().double(), features.new_ones(rows, 1).double()], dim=1)
    outputs = logits.detach().double()
    # The inputs' triangular factor has their singular values and is a thousand times smaller; one more step with what is
    # left over takes away what its square costs in digits (corrected semi-normal equations; Björck 1987).
    inverse = torch.linalg.pinv(torch.linalg.qr(inputs, mode="r")[1], rtol=10 * torch.finfo(logits.dtype).eps)
    inverse = inverse @ inverse.T
    solution = inverse @ (inputs.T @ outputs)
    solution += inverse @ (inputs.T @ (outputs - inputs @ solution))
    error, scale = (inputs @ solution - outputs).abs().max(), outputs.abs().max()
    if error > 1e-3 * scale:
        raise ValueError(
            f"the logits are no linear map of these features (off by {error / scale:.1%}): not penultimate"
        )
    return solution[:-1].T.contiguous(), solution[-1].clone()
