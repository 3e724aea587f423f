"""Classifiers whose code is in their file: the graph of a torch.export program, run operator by operator; TorchScript."""

from __future__ import annotations

import io
import json
import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from touchstone.error_lines import first_line
from touchstone.networks import Program
from touchstone.pt2_archive import Graph
from touchstone.records import Array, DamagedFile

GRAPH = "program"  # the name under which a checkpoint holds the code, as bytes beside the weights
# Plain arithmetic on sizes, which is all that a program does outside torch's own operators.
_script_loader: Callable[..., nn.Module] = torch.jit.load
_unfused: Callable[[], AbstractContextManager[None]] = partial(torch.jit.optimized_execution, False)  # type: ignore[attr-defined]
_empty: Callable[..., nn.Module] = skip_init  # a module whose weights are about to come
ARITHMETIC: dict[str, Callable[..., Any]] = {
    f"_operator.{name}": getattr(operator, name)
    for name in (
        *("add", "sub", "mul", "floordiv", "truediv", "mod", "neg", "pow"),
        *("eq", "ne", "lt", "le", "gt", "ge", "getitem"),
    )
} | {"math.ceil": math.ceil, "math.floor": math.floor, "torch.sym_max": max, "torch.sym_min": min}  # fmt: skip


def as_bytes(data: bytes) -> Array:
    """Return bytes as the array that a checkpoint holds."""
    return np.frombuffer(data, np.uint8).copy()


def graph_bytes(graph: Graph) -> Array:
    """Return a graph as the array that a checkpoint holds."""
    return as_bytes(json.dumps(graph, sort_keys=True, separators=(",", ":")).encode())


class GraphProgram(Program):
    """The graph of a torch.export program. Only operators of torch's aten library are run, by name; nothing is evaluated.

    Linear layers, convolutions and normalisations stand as modules, in the order in which they run, so that features and
    gradient norms are read from it as from any network. batch: the only number of images that it takes at once, if so:
    then the last ones are filled up with copies.
    """

    def __init__(self, batch: int | None = None) -> None:
        super().__init__()
        self.batch = batch
        self.layers = nn.Module()
        self.graph: Graph = {}
        self.steps: list[tuple[Callable[..., Any], dict[str, Any]]] = []
        self.own: dict[str, str] = {}  # a weight's name in the file -> in this module

    def open(self, weights: dict[str, Array]) -> None:
        """Build the layers of the graph under weights["program"] and fill them with the other weights."""
        if GRAPH not in weights:
            raise DamagedFile("the checkpoint holds no program")
        self.graph = json.loads(weights[GRAPH].tobytes())
        self.layers, self.own, self.steps = nn.Module(), {}, []
        uses = Counter(self.graph["tensors"].values()) + Counter(_values(self.graph["nodes"]))
        for node in self.graph["nodes"]:
            layer = self._layer(node, weights, uses)
            self.steps.append((layer or _operator(node["op"]), node if layer is None else _of_layer(node)))
        for name in sorted(set(self.graph["tensors"].values()) - self.own.keys()):
            self._bare(name, torch.tensor(weights[name]))

    def contents(self) -> dict[str, Array]:
        """Return the graph and the weights under their names in the file."""
        state = self.state_dict()
        found = {name: state[own].detach().cpu().numpy().copy() for name, own in self.own.items()}
        return dict(sorted({**found, GRAPH: graph_bytes(self.graph)}.items()))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of normalised images."""
        if self.batch is None:
            return self._run(images)
        rows = []
        for part in torch.split(images, self.batch):
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), *part.shape[1:])])
            rows.append(self._run(filled)[: len(part)])
        return torch.cat(rows)

    def _run(self, images: Tensor) -> Tensor:
        state = dict(self.named_parameters()) | dict(self.named_buffers())
        values: dict[str, Any] = {value: state[self.own[name]] for value, name in self.graph["tensors"].items()}
        values[self.graph["input"]] = images
        for function, node in self.steps:
            arguments = [_filled(argument, values, images.device) for argument in node["args"]]
            named = {key: _filled(argument, values, images.device) for key, argument in node["kwargs"].items()}
            _store(values, node["out"], function(*arguments, **named))
        result: Tensor = values[self.graph["output"]]
        return result

    def _layer(self, node: dict[str, Any], weights: dict[str, Array], uses: Counter[str]) -> nn.Module | None:
        """Return the module of a node that is a layer with weights of its own; None for every other."""
        build = LAYERS.get(node["op"])
        if build is None:
            return None
        names = [self.graph["tensors"].get(argument.get("value")) if isinstance(argument, dict) else None
                 for argument in node["args"]]  # fmt: skip
        for argument, name in zip(node["args"], names, strict=True):
            if name is not None and (uses[name] > 1 or uses[argument["value"]] > 1):
                return None  # a weight that several layers share
        built = build(node, [None if name is None else torch.tensor(weights[name]) for name in names])
        if built is None:
            return None
        layer, places = built
        inside = f"l{len(list(self.layers.children()))}_{(names[1] or '').rpartition('.')[0].replace('.', '_')}"
        self.layers.add_module(inside, layer)
        for place, own in places.items():
            if place < len(names) and names[place] is not None:
                self.own[str(names[place])] = f"layers.{inside}.{own}"
        return layer

    def _bare(self, name: str, values: Tensor) -> None:
        own = "bare_" + name.replace(".", "_")
        while hasattr(self, own):
            own += "_"
        if values.is_floating_point() and name in self.graph["trained"]:
            self.register_parameter(own, nn.Parameter(values))
        else:
            self.register_buffer(own, values)
        self.own[name] = own


class ScriptProgram(Program):
    """A TorchScript file. It runs in TorchScript's own machine, whose loader opens no Python pickle."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def open(self, weights: dict[str, Array]) -> None:
        """Load the file under weights["program"]; DamagedFile where it is none."""
        self.data = weights[GRAPH].tobytes() if GRAPH in weights else b""
        try:
            self.inner = _script_loader(io.BytesIO(self.data), map_location="cpu").eval()
        except RuntimeError as error:
            raise DamagedFile(f"not a TorchScript file ({first_line(error)})") from error

    def contents(self) -> dict[str, Array]:
        """Return the file's bytes: code and weights in one."""
        return {GRAPH: as_bytes(self.data)}

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of normalised images."""
        with _unfused():  # fusing would round differently from one call to the next
            logits: Tensor = self.inner(images)
        return logits


Built = tuple[nn.Module, dict[int, str]] | None  # a layer, and which argument is which of its weights


def _linear(node: dict[str, Any], given: list[Tensor | None]) -> Built:
    weight, bias = given[1], given[2] if len(given) > 2 else None
    if weight is None or weight.dim() != 2 or (bias is None and len(node["args"]) > 2 and node["args"][2] is not None):
        return None
    layer = _empty(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None)
    return _with(layer, {"weight": weight, "bias": bias}), {1: "weight", 2: "bias"}


def _convolution(node: dict[str, Any], given: list[Tensor | None]) -> Built:
    weight, bias = given[1], given[2] if len(given) > 2 else None
    settings = dict(zip(("stride", "padding", "dilation", "groups"), node["args"][3:], strict=False)) | node["kwargs"]
    if weight is None or weight.dim() != 4 or (bias is None and len(node["args"]) > 2 and node["args"][2] is not None):
        return None
    groups = settings.pop("groups", 1)
    pairs = {key: value if isinstance(value, str) else _pair(value) for key, value in settings.items()}
    kernel = (weight.shape[2], weight.shape[3])
    channels = (weight.shape[1] * groups, weight.shape[0])
    layer = _empty(nn.Conv2d, *channels, kernel, groups=groups, bias=bias is not None, **pairs)
    return _with(layer, {"weight": weight, "bias": bias}), {1: "weight", 2: "bias"}


def _pair(value: Any) -> Any:
    return value * 2 if isinstance(value, list) and len(value) == 1 else value


def _batch_norm(node: dict[str, Any], given: list[Tensor | None]) -> Built:
    weight, bias, mean, variance = given[1:5]
    training, eps = node["args"][5], node["args"][7]
    if training or weight is None or bias is None or mean is None or variance is None:
        return None
    layer = nn.BatchNorm2d(len(mean), eps=eps)
    values = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return _with(layer, values), {1: "weight", 2: "bias", 3: "running_mean", 4: "running_var"}


LAYERS: dict[str, Callable[[dict[str, Any], list[Tensor | None]], Built]] = {
    "aten.linear.default": _linear,
    "aten.conv2d.default": _convolution,
    "aten.conv2d.padding": _convolution,
    "aten.batch_norm.default": _batch_norm,
}


def _with(layer: nn.Module, values: Mapping[str, Tensor | None]) -> nn.Module:
    # Not strict: a counter of batches, which nothing reads, is not among the values.
    layer.load_state_dict({name: value for name, value in values.items() if value is not None}, strict=False)
    return layer.eval()


def _values(nodes: list[dict[str, Any]]) -> Iterator[str]:
    """Yield what the nodes take, as often as they take it."""
    for node in nodes:
        for argument in [*node["args"], *node["kwargs"].values()]:
            for item in argument if isinstance(argument, list) else [argument]:
                if isinstance(item, dict) and "value" in item:
                    yield item["value"]


def _of_layer(node: dict[str, Any]) -> dict[str, Any]:
    return {"args": node["args"][:1], "kwargs": {}, "out": node["out"]}


def _operator(name: str) -> Callable[..., Any]:
    """Return the operator of a name; DamagedFile for whatever is neither aten's nor plain arithmetic."""
    if name in ARITHMETIC:
        return ARITHMETIC[name]
    library, _, rest = name.partition(".")
    operation, _, overload = rest.partition(".")
    try:
        if library != "aten" or operation in FORBIDDEN:
            raise AttributeError(name)
        found: Callable[..., Any] = getattr(getattr(torch.ops.aten, operation), overload or "default")
    except AttributeError:
        raise DamagedFile(f"the program uses {name}, which touchstone does not run") from None
    return found


FORBIDDEN = frozenset({"from_file", "save"})  # the operators that reach for files


def _filled(argument: Any, values: dict[str, Any], device: torch.device) -> Any:
    """Return an argument with the values of the graph in it."""
    if isinstance(argument, list):
        return [_filled(item, values, device) for item in argument]
    if not isinstance(argument, dict):
        return argument
    ((kind, name),) = argument.items()
    if kind == "value":
        return values[name]
    return device if kind == "device" else getattr(torch, name)


def _store(values: dict[str, Any], names: list[Any], found: Any) -> None:
    if len(names) == 1 and isinstance(names[0], list):
        values.update(zip(names[0], found, strict=True))
    elif len(names) == 1:
        values[names[0]] = found
    else:
        values.update(zip(names, found, strict=True))
