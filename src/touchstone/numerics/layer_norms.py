"""Closed forms of a layer's squared gradient norms per example.

They need only the layer's input and output gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from touchstone.numerics.convolution_norms import Window, gram_norm, squared_norm, weight_norms

Norms = dict[str, Tensor]  # "weight" and "bias" -> (N,)
ClosedForm = Callable[[Any, Tensor, Tensor], Norms]  # (module, inputs (N, ...), deltas (N, ...)) -> norms


def closed_form(module: nn.Module) -> ClosedForm | None:
    """Return the closed form for `module`, or None if there is none.

    It is looked up by the functions that run, not by type: a subclass with its own forward computes something else, and so
    does a convolution that standardises its weights in a `_conv_forward` of its own.
    """
    kind = type(module)
    if "forward" in vars(module) or getattr(kind, "_conv_forward", None) not in _CONVOLUTIONS:
        return None
    return _CLOSED_FORMS.get(kind.forward)


def _linear(module: nn.Linear, inputs: Tensor, deltas: Tensor) -> Norms:
    if inputs.dim() == 2:
        norm = squared_norm(deltas)
        return {"weight": squared_norm(inputs) * norm, "bias": norm}
    # (N, T, D): the T positions share the weight, so their gradients add before the norm is taken.
    left, right = inputs.flatten(1, -2).mT, deltas.flatten(1, -2).mT
    positions, width, outputs = left.shape[2], left.shape[1], right.shape[1]
    if positions * (width + outputs) < width * outputs:
        weight = gram_norm(left, right)
    else:
        weight = squared_norm(torch.bmm(right, left.mT))
    return {"weight": weight, "bias": squared_norm(right.sum(2))}


def _convolution(module: nn.Conv1d | nn.Conv2d, inputs: Tensor, deltas: Tensor) -> Norms:
    padding = module.padding
    if isinstance(padding, str) or module.padding_mode != "zeros":
        mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
        inputs = functional.pad(inputs, module._reversed_padding_repeated_twice, mode=mode)
        padding = (0,) * len(module.kernel_size)
    bias = squared_norm(deltas.flatten(2).sum(2))
    if inputs.dim() == 3:  # one dimension: an image of height 1
        inputs, deltas = inputs[:, :, None], deltas[:, :, None]
    window = Window(
        kernel=_pair(module.kernel_size, 1),
        stride=_pair(module.stride, 1),
        padding=_pair(padding, 0),
        dilation=_pair(module.dilation, 1),
        groups=module.groups,
    )
    return {"weight": weight_norms(inputs, deltas, window), "bias": bias}


def _pair(values: tuple[int, ...], missing: int) -> tuple[int, int]:
    return (missing, values[0]) if len(values) == 1 else (values[0], values[1])


def _batch_norm(module: _BatchNorm, inputs: Tensor, deltas: Tensor) -> Norms:
    assert module.running_mean is not None  # the caller refuses batch norm without running statistics
    assert module.running_var is not None
    inputs, deltas = inputs.flatten(2) if inputs.dim() > 2 else inputs[..., None], deltas.reshape(*deltas.shape[:2], -1)
    scale = torch.rsqrt(module.running_var + module.eps)
    centred = inputs - module.running_mean[:, None]
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


def _group_norm(module: nn.GroupNorm, inputs: Tensor, deltas: Tensor) -> Norms:
    return _per_channel(functional.group_norm(inputs, module.num_groups, eps=module.eps), deltas)


def _instance_norm(module: _InstanceNorm, inputs: Tensor, deltas: Tensor) -> Norms:
    normalised = functional.instance_norm(
        inputs,
        module.running_mean,
        module.running_var,
        use_input_stats=not module.track_running_stats,
        eps=module.eps,
    )
    return _per_channel(normalised, deltas)


def _layer_norm(module: nn.LayerNorm, inputs: Tensor, deltas: Tensor) -> Norms:
    normalised = functional.layer_norm(inputs, module.normalized_shape, eps=module.eps)
    width = len(module.normalized_shape)
    weight, bias = (deltas * normalised).flatten(-width), deltas.flatten(-width)
    # Positions before the normalised dimensions share the parameters, so they add before the norm is taken.
    return {
        "weight": squared_norm(weight.reshape(len(weight), -1, weight.shape[-1]).sum(1)),
        "bias": squared_norm(bias.reshape(len(bias), -1, bias.shape[-1]).sum(1)),
    }


_CONVOLUTIONS = (None, nn.Conv1d._conv_forward, nn.Conv2d._conv_forward)  # None: of all other layers
_CLOSED_FORMS: dict[Callable[..., Any], ClosedForm] = {
    nn.Linear.forward: _linear,
    nn.Conv1d.forward: _convolution,
    nn.Conv2d.forward: _convolution,
    _BatchNorm.forward: _batch_norm,
    nn.GroupNorm.forward: _group_norm,
    nn.LayerNorm.forward: _layer_norm,
    _InstanceNorm.forward: _instance_norm,
}
