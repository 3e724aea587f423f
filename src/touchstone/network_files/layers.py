"""Calls of a program that are layers with their own weights, as modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import skip_init

from touchstone.network_files.graphs import values

_empty: Callable[..., nn.Module] = skip_init  # a module with uninitialised weights
Built = tuple[nn.Module, dict[str, str]] | None  # a layer, and the weight that each argument is


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of inputs with any number of dimensions, which a graph does not state."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        pass


def _linear(bound: dict[str, Any], weights: dict[str, Tensor]) -> Built:
    weight, bias = weights.get("weight"), weights.get("bias")
    if weight is None or weight.dim() != 2 or (bias is None and bound.get("bias") is not None):
        return None
    layer = _empty(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None)
    return _with(layer, {"weight": weight, "bias": bias}), {"weight": "weight", "bias": "bias"}


def _convolution(bound: dict[str, Any], weights: dict[str, Tensor]) -> Built:
    weight, bias = weights.get("weight"), weights.get("bias")
    settings = {name: bound[name] for name in ("stride", "padding", "dilation", "groups") if name in bound}
    if weight is None or weight.dim() != 4 or (bias is None and bound.get("bias") is not None):
        return None
    if list(values(settings.values())):
        return None  # computed at run time
    groups = settings.pop("groups", 1)
    pairs = {key: value if isinstance(value, str) else _pair(value) for key, value in settings.items()}
    kernel = (weight.shape[2], weight.shape[3])
    channels = (weight.shape[1] * groups, weight.shape[0])
    layer = _empty(nn.Conv2d, *channels, kernel, groups=groups, bias=bias is not None, **pairs)
    return _with(layer, {"weight": weight, "bias": bias}), {"weight": "weight", "bias": "bias"}


def _pair(value: Any) -> Any:
    return value * 2 if isinstance(value, list) and len(value) == 1 else value


def _batch_norm(bound: dict[str, Any], weights: dict[str, Tensor]) -> Built:
    names = {"weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var"}
    if not names.keys() <= weights.keys() or not isinstance(bound["eps"], float):
        return None
    layer = BatchNorm(len(weights["running_mean"]), eps=bound["eps"])
    return _with(layer, weights), names


LAYERS: dict[str, Callable[[dict[str, Any], dict[str, Tensor]], Built]] = {
    "aten.linear.default": _linear,
    "aten.conv2d.default": _convolution,
    "aten.conv2d.padding": _convolution,
    "aten.batch_norm.default": _batch_norm,
}


def _with(layer: nn.Module, values: Mapping[str, Tensor | None]) -> nn.Module:
    # Not strict: the values lack the counter of batches, which nothing reads.
    layer.load_state_dict({name: value for name, value in values.items() if value is not None}, strict=False)
    return layer.eval()
