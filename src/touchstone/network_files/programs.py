"""Classifiers whose code is in their file: torch.export graphs, run operator by operator, and TorchScript."""

from __future__ import annotations

import io
import json
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from touchstone.messages import first_line
from touchstone.network_files import trust
from touchstone.network_files.graphs import Graph, calls, read_graph, values
from touchstone.network_files.layers import LAYERS
from touchstone.network_files.operators import ARITHMETIC, RANDOM, Call
from touchstone.network_files.rehearsal import Rehearsal, physical_memory
from touchstone.networks.checkpoints import Program
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array

GRAPH = "program"  # the name under which a checkpoint stores the code, as bytes
FAKES = logging.getLogger("torch._subclasses.fake_tensor")
_script_loader: Callable[..., nn.Module] = torch.jit.load
_unfused: Callable[[], AbstractContextManager[None]] = partial(torch.jit.optimized_execution, False)  # type: ignore[attr-defined]
# What torch and Python raise for arguments that do not fit; RuntimeError also if memory is exhausted.
FAULTS = (
    *(RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, RecursionError),
)


def as_bytes(data: bytes) -> Array:
    """Return bytes as an array for a checkpoint."""
    return np.frombuffer(data, np.uint8).copy()


def graph_bytes(graph: Graph) -> Array:
    """Return a graph as an array for a checkpoint."""
    return as_bytes(json.dumps(graph, sort_keys=True, separators=(",", ":")).encode())


class GraphProgram(Program):
    """The graph of a torch.export program. It runs only allowed operators of torch's aten library.

    Linear layers, convolutions and normalisations are modules, in the order in which they run, so that features and
    gradient norms are read from it as from any network. `batch` is the only number of images that it accepts at once,
    if there is one; the last batch is then padded with copies. Such a program has no modules for its layers, because a
    hook on one would see the rows of one piece only, and the padding.
    """

    def __init__(self, batch: int | None = None) -> None:
        super().__init__()
        self.batch = batch
        self.layers = nn.Module()
        self.graph: Graph = {}
        self.calls: list[Call] = []
        self.steps: list[tuple[Callable[..., Any], Call]] = []
        self.inner_names: dict[str, str] = {}  # a weight's name in the file -> in this module
        self.counts = True  # whether it computes with the number of images
        self.sizes: dict[
            str, tuple[torch.Size, torch.dtype]
        ] = {}  # a value of the graph -> shape and dtype of its weight
        self.rehearsed: dict[tuple[int, ...], set[int]] = {}  # (C, H, W) -> numbers of images that have passed

    def open(self, weights: dict[str, Array]) -> None:
        """Build the layers of the graph in weights["program"], and load the other weights."""
        if GRAPH not in weights:
            raise DamagedFile("the checkpoint contains no program")
        self.graph = read_graph(weights[GRAPH])
        self.calls = calls(self.graph, weights.keys() - {GRAPH})
        # If it does not count them, fewer images never need more memory.
        self.counts = any(step.name in ARITHMETIC or step.name.startswith("aten.sym_") for step in self.calls)
        exported = self.graph["shape"][0]
        if exported is not None and self.batch != exported:
            raise DamagedFile(f"the program was exported for {exported} images at once: set batch: {exported}")
        try:
            self._build(weights)
        except FAULTS as error:
            raise DamagedFile(f"the program's weights do not fit its layers ({first_line(error)})") from error

    def _build(self, weights: dict[str, Array]) -> None:
        self.layers, self.inner_names, self.steps, self.rehearsed = nn.Module(), {}, [], {}
        tensors = self.graph["tensors"]
        once = {value for value, count in Counter(values(_taken(self.calls))).items() if count == 1}
        stored = Counter(tensors.values())
        sole = {value for value, name in tensors.items() if stored[name] == 1 and value in once}
        for step in self.calls:
            layer = self._layer(step, weights, sole)
            self.steps.append((layer or step.function, step if layer is None else _of_layer(step)))
        for name in sorted(set(tensors.values()) - self.inner_names.keys()):
            self._bare(name, _tensor(weights[name]))
        state = self.state_dict()
        self.sizes = {
            value: (state[self.inner_names[name]].shape, state[self.inner_names[name]].dtype)
            for value, name in tensors.items()
        }

    @property
    def random(self) -> bool:
        """Whether the program draws random numbers."""
        return any(step.name.removeprefix("aten.").partition(".")[0] in RANDOM for step in self.calls)

    def contents(self) -> dict[str, Array]:
        """Return the graph, and the weights under their names in the file."""
        state = self.state_dict()
        weights = {name: state[inner].detach().cpu().numpy().copy() for name, inner in self.inner_names.items()}
        return dict(sorted({**weights, GRAPH: graph_bytes(self.graph)}.items()))

    def rehearse(self, shape: Sequence[int], device: torch.device) -> None:
        """Run the program for a shape of images without data, once per shape, before it runs with data.

        Raises:
            DamagedFile: If it would need too much memory or time, or would change its weights.
            ValueError: If it cannot run.
        """
        count, sides = self.batch or shape[0], tuple(shape[1:])
        passed = self.rehearsed.setdefault(sides, set())
        if count in passed or (not self.counts and count < max(passed, default=0)):
            return
        cpu = device.type == "cpu"
        memory = physical_memory() if cpu else torch.cuda.get_device_properties(device).total_memory
        step = None
        try:
            with _quiet(), FakeTensorMode(allow_fallback_kernels=False), torch.no_grad():
                held: dict[str, Any] = {
                    value: torch.empty(size, dtype=dtype, device=device) for value, (size, dtype) in self.sizes.items()
                }
                images = torch.empty((count, *sides), device=device)
                with Rehearsal(held.values(), count, memory) as rehearsal:
                    rehearsal.hold(images)
                    held[self.graph["input"]] = images
                    for step in self.calls:
                        rehearsal.hold(_result(held, step.function, step, device))
        except DamagedFile:
            raise
        except FAULTS as error:
            raise ValueError(f"{step.name if step else 'the program'}: {first_line(error)}") from error
        passed.add(count)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of normalised images."""
        self.rehearse(images.shape, images.device)
        if self.batch is None:
            return self._run(images)
        rows = []
        for part in torch.split(images, self.batch):
            filled = torch.cat([part, part[-1:].expand(self.batch - len(part), *part.shape[1:])])
            rows.append(self._run(filled)[: len(part)])
        return torch.cat(rows)

    def _run(self, images: Tensor) -> Tensor:
        state = dict(self.named_parameters()) | dict(self.named_buffers())
        held: dict[str, Any] = {value: state[self.inner_names[name]] for value, name in self.graph["tensors"].items()}
        held[self.graph["input"]] = images
        for function, step in self.steps:
            _result(held, function, step, images.device)
        result: Tensor = held[self.graph["output"]]
        return result

    def _layer(self, step: Call, weights: dict[str, Array], sole: Collection[str]) -> nn.Module | None:
        """Return the module of a call that is a layer with its own weights.

        None for any other call, and if the program runs images in pieces.
        """
        build = LAYERS.get(step.name)
        if build is None or self.batch is not None:
            return None
        tensors = self.graph["tensors"]
        taken = {
            name: value["value"] for name, value in step.bound.items() if isinstance(value, dict) and "value" in value
        }
        names = {name: tensors[value] for name, value in taken.items() if value in tensors}
        if any(value in tensors and value not in sole for value in taken.values()):
            return None  # a weight that several layers share
        built = build(step.bound, {name: _tensor(weights[stored]) for name, stored in names.items()})
        if built is None:
            return None
        layer, places = built
        inside = f"l{len(list(self.layers.children()))}_{names['weight'].rpartition('.')[0].replace('.', '_')}"
        self.layers.add_module(inside, layer)
        self.inner_names |= {
            names[name]: f"layers.{inside}.{parameter}" for name, parameter in places.items() if name in names
        }
        return layer

    def _bare(self, name: str, values: Tensor) -> None:
        inner = "bare_" + name.replace(".", "_")
        while hasattr(self, inner):
            inner += "_"
        if values.is_floating_point() and name in self.graph["trained"]:
            self.register_parameter(inner, nn.Parameter(values))
        else:
            self.register_buffer(inner, values)
        self.inner_names[name] = inner


class ScriptProgram(Program):
    """A TorchScript file that the user trusts. It runs whatever the file contains."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def open(self, weights: dict[str, Array]) -> None:
        """Load the file in weights["program"].

        DamagedFile if it is none, or if nobody has trusted it.
        """
        self.data = weights[GRAPH].tobytes() if GRAPH in weights else b""
        if not trust.trusted(self.data):  # loading runs code
            raise DamagedFile(trust.refusal(self.data))
        try:
            self.inner = _script_loader(io.BytesIO(self.data), map_location="cpu").eval()
        except RuntimeError as error:
            raise DamagedFile(f"not a TorchScript file ({first_line(error)})") from error

    def contents(self) -> dict[str, Array]:
        """Return the bytes of the file, which has code and weights."""
        return {GRAPH: as_bytes(self.data)}

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of normalised images."""
        with _unfused():  # fusing would round differently from one call to the next
            logits: Tensor = self.inner(images)
        return logits


def _tensor(values: Array) -> Tensor:
    # Bytes in a file can be booleans that are neither true nor false.
    return torch.tensor(values.view(np.uint8) != 0 if values.dtype == np.bool_ else values)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from printing tracebacks; the error says what does not fit."""
    printing, FAKES.disabled = FAKES.disabled, True
    try:
        yield
    finally:
        FAKES.disabled = printing


def _taken(steps: list[Call]) -> list[Any]:
    """Return the arguments of all calls."""
    return [argument for step in steps for argument in (*step.args, *step.kwargs.values())]


def _of_layer(step: Call) -> Call:
    return replace(step, args=[step.bound["input"]], kwargs={})


def _result(held: dict[str, Any], function: Callable[..., Any], step: Call, device: torch.device) -> Any:
    """Return the results of a call, after storing them among the values."""
    arguments = [_filled(argument, held, device) for argument in step.args]
    named = {key: _filled(argument, held, device) for key, argument in step.kwargs.items()}
    results = function(*arguments, **named)
    if len(step.out) == 1 and not isinstance(step.out[0], list):
        held[step.out[0]] = results
    else:
        held.update(zip(step.out[0] if isinstance(step.out[0], list) else step.out, results, strict=True))
    return results


def _filled(argument: Any, held: dict[str, Any], device: torch.device) -> Any:
    """Return an argument with the graph's values in place of their names."""
    if isinstance(argument, list):
        return [_filled(item, held, device) for item in argument]
    if not isinstance(argument, dict):
        return argument
    ((kind, name),) = argument.items()
    if kind == "value":
        return held[name]
    return device if kind == "device" else getattr(torch, name)
