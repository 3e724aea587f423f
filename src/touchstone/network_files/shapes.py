"""Checks of shapes that a few of torch's kernels leave out: without them they reach beyond a tensor's memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload


def guarded(overload: OpOverload, check: Callable[[dict[str, Any]], bool]) -> Callable[..., Any]:
    """Return an operator that raises ValueError for tensors that do not fit each other."""
    names = [argument.name for argument in overload._schema.arguments]

    def run(*args: Any, **kwargs: Any) -> Any:
        if not check(dict(zip(names, args, strict=False)) | kwargs):
            raise ValueError("the shapes of its tensors do not fit each other")
        return overload(*args, **kwargs)

    return run


def attention(bound: dict[str, Any]) -> bool:
    """Return whether each query meets keys of its size, with a value for each, and a mask for these."""
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
        own in (1, side) for own, side in zip(reversed(mask.shape), reversed(sides), strict=False)
    )


def channels(bound: dict[str, Any]) -> bool:
    """Return whether there is one weight, bias, mean and variance for each channel, or none."""
    given = (bound.get(name) for name in ("weight", "bias", "running_mean", "running_var"))
    images = bound["input"]
    return images.dim() > 1 and all(values is None or values.shape == images.shape[1:2] for values in given)


def weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """Return weights v scaled to the norms g, by operators that check both: torch's own writes beyond what g asks for."""
    scaled: Tensor = v * (g / torch.norm_except_dim(v, 2, dim))
    return scaled
