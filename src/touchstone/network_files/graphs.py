"""The graph of a program, checked before anything runs: form, values, operators and their arguments."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from touchstone.network_files.operators import Call, Kind, call
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array

# {"input", "output", "shape", "tensors": {value: weight}, "trained": [weight], "nodes": [{"op", "args", "kwargs", "out"}]};
# shape: None for a side of any length
Graph = dict[str, Any]
NODES = 20_000  # the deepest networks of torchvision have 1,500
BYTES = 2**27  # of a graph as JSON
NAME = 1_000  # characters
SIDE = 2**31  # above any side of an image


def read_graph(data: Array) -> Graph:
    """Return the graph that a checkpoint stores as JSON.

    DamagedFile if it stores something else.
    """
    try:
        if data.nbytes > BYTES:
            raise ValueError(f"{data.nbytes:,} bytes")
        graph = json.loads(data.tobytes())
    except (ValueError, RecursionError) as error:
        raise DamagedFile(f"the checkpoint's program is no graph ({str(error)[:100]})") from error
    if not isinstance(graph, dict):
        raise DamagedFile("the checkpoint's program is no graph")
    return graph


def calls(graph: Graph, weights: Collection[str]) -> list[Call]:
    """Return the nodes of a graph as calls that may be run in this order.

    Args:
        graph: of the program.
        weights: names of the stored weights.

    Raises:
        DamagedFile: If a node is wrong; the message says which one and why.
    """
    _check_form(graph)
    tensors = graph["tensors"]
    if missing := sorted(set(tensors.values()) - set(weights)):
        raise DamagedFile(f"the weights {', '.join(missing[:3])} are missing")
    kinds: dict[str, Kind] = {}
    _define(kinds, [graph["input"], *tensors], ["tensor"] * (1 + len(tensors)))
    checked = []
    for number, node in enumerate(graph["nodes"]):
        try:
            step, returned = call(node, kinds)
            _define(kinds, *_paired(node["out"], returned))
        except DamagedFile as error:
            raise DamagedFile(f"node {number} of the program: {error}") from error
        checked.append(step)
    if kinds.get(graph["output"]) != "tensor":
        raise DamagedFile("the program returns a value that none of its nodes computes")
    return checked


def values(args: Collection[Any]) -> Iterator[str]:
    """Yield the names of the values that arguments use, once per use."""
    for argument in args:
        for item in argument if isinstance(argument, list) else [argument]:
            if isinstance(item, dict) and "value" in item:
                yield item["value"]


def _check_form(graph: Graph) -> None:
    forms: dict[str, Any] = {
        "input": str,
        "output": str,
        "shape": list,
        "tensors": dict,
        "trained": list,
        "nodes": list,
    }
    for key, form in forms.items():
        if not isinstance(graph.get(key), form):
            raise DamagedFile(f"the program's graph has no {key}, or not as a {form.__name__}")
    shape, nodes = graph["shape"], graph["nodes"]
    if len(shape) != 4 or not all(side is None or (type(side) is int and 0 < side < SIDE) for side in shape):
        raise DamagedFile("the program takes no batch of images: expected a tensor of 4 dimensions (N, C, H, W)")
    if not all(isinstance(name, str) for name in [*graph["tensors"].values(), *graph["trained"]]):
        raise DamagedFile("the names of the program's weights are no text")
    if len(nodes) > NODES:
        raise DamagedFile(f"the program has {len(nodes):,} nodes; touchstone runs at most {NODES:,}")
    parts = {"op": str, "args": list, "kwargs": dict, "out": list}
    for number, node in enumerate(nodes):
        if not isinstance(node, dict) or not all(isinstance(node.get(key), form) for key, form in parts.items()):
            raise DamagedFile(f"node {number} of the program is no call of an operator")


def _paired(out: list[Any], returned: list[Kind | list[Kind]]) -> tuple[list[Any], list[Kind]]:
    """Return the names of a node's results and their kinds.

    DamagedFile if they do not match.
    """
    if len(out) == 1 and isinstance(out[0], list) and returned == [["tensor"]]:
        return out[0], ["tensor"] * len(out[0])
    if len(out) != len(returned) or any(isinstance(kind, list) for kind in returned):
        raise DamagedFile(f"has {len(out)} names for {len(returned)} results")
    return out, [kind for kind in returned if not isinstance(kind, list)]


def _define(kinds: dict[str, Kind], names: list[Any], added: list[Kind]) -> None:
    for name, kind in zip(names, added, strict=True):
        if not isinstance(name, str) or len(name) > NAME or (name and name in kinds):
            raise DamagedFile(f"{str(name)[:50]!r} is not the name of a new value")
        if name:  # empty for a result that nothing uses
            kinds[name] = kind
