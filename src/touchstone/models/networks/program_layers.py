"""The layers of a torch.export program as modules, so that features and gradient norms can be read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from operator import attrgetter
from typing import Any

from torch import Tensor, fx, nn
from torch.nn.utils import skip_init

LAYERS = "layers"  # the module that holds them
_empty: Callable[..., nn.Module] = skip_init  # a module with uninitialised weights


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation of inputs with any number of dimensions, which a program does not state."""

    def _check_input_dim(self, input: Tensor) -> None:  # noqa: A002
        pass


def with_layers(program: fx.GraphModule) -> fx.GraphModule:
    """Return a program whose linear layers, 2-d convolutions and batch normalisations are modules, in the order of a run.

    Other layers, and layers that share a weight stay operators, and such weights lie in the program itself.
    """
    root, layers, graph = nn.Module(), nn.Module(), deepcopy(program.graph)
    root.add_module(LAYERS, layers)
    for node in list(graph.nodes):
        settings = _settings(node, program)
        places = {
            name: str(value.target)
            for name, value in settings.items()
            if isinstance(value, fx.Node) and value.op == "get_attr" and len(value.users) == 1 and name != "input"
        }
        layer = _layer(node, settings, {name: attrgetter(place)(program) for name, place in places.items()})
        if layer is None:
            continue
        name = f"l{len(list(layers.children()))}_{places['weight'].rpartition('.')[0].replace('.', '_')}"
        layers.add_module(name, layer)
        with graph.inserting_before(node):
            called = graph.call_module(f"{LAYERS}.{name}", (settings["input"],))
        node.replace_all_uses_with(called)
        graph.erase_node(node)
    _keep_other_weights(graph, root, program)
    return fx.GraphModule(root, graph).eval()


def operator_of(node: fx.Node) -> str:
    """Return the name of torch's operator that a node calls, such as linear.default; "" for another node."""
    name = str(node.target)
    return name.removeprefix("aten.") if node.op == "call_function" and name.startswith("aten.") else ""


def _keep_other_weights(graph: fx.Graph, root: nn.Module, program: fx.GraphModule) -> None:
    """Put the values that operators use into `root`, sorted by name, and let the graph find them there."""
    nodes = [node for node in graph.nodes if node.op == "get_attr"]
    places = sorted({str(node.target) for node in nodes})
    names = {place: f"bare{number}_{place.replace('.', '_')}" for number, place in enumerate(places)}
    for node in sorted(nodes, key=lambda node: str(node.target), reverse=True):  # each is put before the one before it
        value, name = attrgetter(str(node.target))(program), names[str(node.target)]
        if node.users and isinstance(value, nn.Module):
            root.add_module(name, value)
        elif node.users and isinstance(value, nn.Parameter):
            root.register_parameter(name, nn.Parameter(value.detach()))
        elif node.users:
            root.register_buffer(name, value)
        if node.users:
            with graph.inserting_before(next(iter(graph.nodes))):
                node.replace_all_uses_with(graph.get_attr(name))
        graph.erase_node(node)


def _settings(node: fx.Node, program: fx.GraphModule) -> Mapping[str, Any]:
    """Return the arguments of a node that may be a layer, by name; none for another node."""
    if operator_of(node) not in _BUILDERS:
        return {}
    given = node.normalized_arguments(program, normalize_to_only_use_kwargs=True)
    return given.kwargs if given else {}


def _layer(node: fx.Node, settings: Mapping[str, Any], weights: dict[str, Tensor]) -> nn.Module | None:
    """Return the module of a node that is a layer with its own weights; None for another node."""
    computed = [name for name, value in settings.items() if isinstance(value, fx.Node) and name not in weights]
    if computed != ["input"] or "weight" not in weights:
        return None
    return _BUILDERS[operator_of(node)](settings, weights)


def _linear(settings: Mapping[str, Any], weights: dict[str, Tensor]) -> nn.Module | None:
    weight, bias = weights["weight"], weights.get("bias")
    if weight.dim() != 2:
        return None
    return _filled(_empty(nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None), weights)


def _convolution(settings: Mapping[str, Any], weights: dict[str, Tensor]) -> nn.Module | None:
    weight, groups = weights["weight"], settings["groups"]
    if weight.dim() != 4:
        return None
    names = ("stride", "padding", "dilation")
    pairs = {name: settings[name] if isinstance(settings[name], str) else _pair(settings[name]) for name in names}
    channels = (weight.shape[1] * groups, weight.shape[0])
    layer = _empty(nn.Conv2d, *channels, tuple(weight.shape[2:]), groups=groups, bias="bias" in weights, **pairs)
    return _filled(layer, weights)


def _pair(value: Any) -> tuple[int, ...]:
    sides = tuple(value) if isinstance(value, list | tuple) else (value,)
    return sides * 2 if len(sides) == 1 else sides


def _batch_norm(settings: Mapping[str, Any], weights: dict[str, Tensor]) -> nn.Module | None:
    if len(weights) != 4 or settings["training"]:
        return None
    return _filled(BatchNorm(len(weights["running_mean"]), eps=settings["eps"]), weights)


def _filled(layer: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    layer.load_state_dict(weights, strict=False)  # not strict: they lack the counter of batches, which nothing reads
    return layer.eval()


_BUILDERS: dict[str, Callable[[Mapping[str, Any], dict[str, Tensor]], nn.Module | None]] = {
    "linear.default": _linear,
    "conv2d.default": _convolution,
    "conv2d.padding": _convolution,
    "batch_norm.default": _batch_norm,
}
