"""Checks of shapes that a few of torch's kernels lack.

Without them they read or write outside a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload


def guarded(overload: OpOverload, check: Callable[[dict[str, Any]], bool]) -> Callable[..., Any]:
    """Return an operator that raises ValueError for tensors whose shapes do not fit."""
    names = [argument.name for argument in overload._schema.arguments]

    def run(*args: Any, **kwargs: Any) -> Any:
        if not check(dict(zip(names, args, strict=False)) | kwargs):
            raise ValueError("the shapes of its tensors do not fit each other")
        return overload(*args, **kwargs)

    return run


def attention(bound: dict[str, Any]) -> bool:
    """Return whether query, key, value and mask fit each other."""
    query, key, value = (bound[name].shape for name in ("query", "key", "value"))
    heads, shared = query[:-2], key[:-2]
    if bound.get("enable_gqa") and len(heads) > 0 < len(shared):
        alike = heads[:-1] == shared[:-1] and shared[-1] > 0 and heads[-1] % shared[-1] == 0
    else:
        alike = heads == shared
    fits = len(query) > 1 < len(key) and alike and key[:-1] == value[:-1] and query[-1] == key[-1]
    mask = bound.get("attn_mask")
    if not fits or mask is None:
        return fits
    sides = (*query[:-1], key[-2])
    return mask.dim() <= len(sides) and all(
        length in (1, side) for length, side in zip(reversed(mask.shape), reversed(sides), strict=False)
    )


def channels(bound: dict[str, Any]) -> bool:
    """Return whether weight, bias, mean and variance have one value per channel, or are absent."""
    vectors = (bound.get(name) for name in ("weight", "bias", "running_mean", "running_var"))
    images = bound["input"]
    return images.dim() > 1 and all(values is None or values.shape == images.shape[1:2] for values in vectors)


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """Return weights v scaled to the norms g, by operators that check their shapes.

    torch's own operator writes outside the tensor if g does not fit.
    """
    scaled: Tensor = v * (g / torch.norm_except_dim(v, 2, dim))
    return scaled
