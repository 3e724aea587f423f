"""Closed forms of a layer's squared gradient norms per example.

They need only the layer's input and output gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from touchstone.numerics.convolution_norms import Window, gram_norm, squared_norm, weight_norms

Norms = dict[str, Tensor]  # "weight" and "bias" -> (N,)
Sizes = int | Sequence[int]
# (deltas (N, ...), inputs (N, ...), and all else that the function was called with) -> norms
ClosedForm = Callable[..., Norms]


def _linear(deltas: Tensor, inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> Norms:
    if inputs.dim() == 2:
        norm = squared_norm(deltas)
        return {"weight": squared_norm(inputs) * norm, "bias": norm}
    # (N, T, D): the T positions share the weight, so their gradients add before the norm is taken.
    left, right = inputs.flatten(1, -2).mT, deltas.flatten(1, -2).mT
    positions, width, outputs = left.shape[2], left.shape[1], right.shape[1]
    if positions * (width + outputs) < width * outputs:
        norm = gram_norm(left, right)
    else:
        norm = squared_norm(torch.bmm(right, left.mT))
    return {"weight": norm, "bias": squared_norm(right.sum(2))}


def _convolution(
    deltas: Tensor,
    inputs: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes | str = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Norms:
    shift = squared_norm(deltas.flatten(2).sum(2))
    kernel, dilation = tuple(weight.shape[2:]), _each(dilation, weight)
    if padding == "same":
        beyond = [step * (size - 1) for size, step in zip(kernel, dilation, strict=True)]
        inputs = functional.pad(inputs, [side for both in reversed(beyond) for side in (both // 2, both - both // 2)])
    if isinstance(padding, str):
        padding = 0
    if inputs.dim() == 3:  # one dimension: an image of height 1
        inputs, deltas = inputs[:, :, None], deltas[:, :, None]
    window = Window(
        kernel=_pair(kernel, 1),
        stride=_pair(_each(stride, weight), 1),
        padding=_pair(_each(padding, weight), 0),
        dilation=_pair(dilation, 1),
        groups=groups,
    )
    return {"weight": weight_norms(inputs, deltas, window), "bias": shift}


def _each(sizes: Sizes, weight: Tensor) -> tuple[int, ...]:
    """Return the size in each dimension that a kernel slides along; one size may stand for all."""
    several = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    return several * (weight.dim() - 2) if len(several) == 1 else several


def _pair(values: tuple[int, ...], missing: int) -> tuple[int, int]:
    return (missing, values[0]) if len(values) == 1 else (values[0], values[1])


def _batch_norm(
    deltas: Tensor,
    inputs: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Norms:
    inputs, deltas = inputs.flatten(2) if inputs.dim() > 2 else inputs[..., None], deltas.reshape(*deltas.shape[:2], -1)
    scale = torch.rsqrt(running_var + eps)
    centred = inputs - running_mean[:, None]
    return {
        "weight": squared_norm(torch.linalg.vecdot(deltas, centred) * scale),
        "bias": squared_norm(deltas.sum(2)),
    }


def _per_channel(normalised: Tensor, deltas: Tensor) -> Norms:
    normalised, deltas = normalised.reshape(*deltas.shape[:2], -1), deltas.reshape(*deltas.shape[:2], -1)
    return {
        "weight": squared_norm(torch.linalg.vecdot(deltas, normalised)),
        "bias": squared_norm(deltas.sum(2)),
    }


def _group_norm(
    deltas: Tensor,
    inputs: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Norms:
    return _per_channel(functional.group_norm(inputs, num_groups, eps=eps), deltas)


def _instance_norm(
    deltas: Tensor,
    inputs: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Norms:
    normalised = functional.instance_norm(
        inputs, running_mean, running_var, use_input_stats=use_input_stats, momentum=0, eps=eps
    )
    return _per_channel(normalised, deltas)


def _layer_norm(
    deltas: Tensor,
    inputs: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Norms:
    normalised = functional.layer_norm(inputs, normalized_shape, eps=eps)
    width = len(normalized_shape)
    scale, shift = (deltas * normalised).flatten(-width), deltas.flatten(-width)
    # Positions before the normalised dimensions share the parameters, so they add before the norm is taken.
    return {
        "weight": squared_norm(scale.reshape(len(scale), -1, scale.shape[-1]).sum(1)),
        "bias": squared_norm(shift.reshape(len(shift), -1, shift.shape[-1]).sum(1)),
    }


# By the function that a layer runs: a layer that computes something else first gives it other tensors than its parameters.
CLOSED_FORMS: dict[Callable[..., Any], ClosedForm] = {
    functional.linear: _linear,
    functional.conv1d: _convolution,
    functional.conv2d: _convolution,
    functional.batch_norm: _batch_norm,
    functional.group_norm: _group_norm,
    functional.layer_norm: _layer_norm,
    functional.instance_norm: _instance_norm,
}
