"""Networks whose code is in their file: a torch.export program (.pt2) or TorchScript. To open one can run any code."""

from __future__ import annotations

import copy
import functools
import io
import logging
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from touchstone.messages import first_line
from touchstone.models.networks.checkpoints import Program
from touchstone.models.networks.program_layers import operator_of, with_layers
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import NOT_WHOLE
from touchstone.records.nouns import Array

PROGRAM = "program"  # the name under which a checkpoint stores the file, as bytes
EXPORT_LINE = (
    "torch.export.save(torch.export.export(model.eval(), (torch.rand(2, CHANNELS, HEIGHT, WIDTH),),"
    " dynamic_shapes=({0: torch.export.Dim('images', min=1)},)), 'model.pt2')"
)
CHANGES = "changes its own state when it runs, as in training. Call model.eval() before it is saved or exported"
TIES = (
    "has batch norm without running statistics, so an image's answer depends on the others. Build it with"
    " track_running_stats=True, and call model.eval() before it is exported"
)
RISK = "can run any code of whoever made it, with your rights"
# What torch and Python raise for arguments that do not fit; RuntimeError also if memory is exhausted.
FAULTS = (
    *(RuntimeError, ValueError, TypeError, IndexError, KeyError, AttributeError, AssertionError),
    *(ArithmeticError, MemoryError, RecursionError),
)
_load_script: Callable[..., nn.Module] = torch.jit.load
_load_export: Callable[..., Any] = torch.export.load
_unfused: Callable[[], AbstractContextManager[None]] = functools.partial(torch.jit.optimized_execution, False)  # type: ignore[attr-defined]


class ProgramFile(Program):
    """The network in a file of torch.export or TorchScript. It runs whatever the file contains.

    Linear layers, 2-d convolutions and batch normalisations of a torch.export program are modules, in the order in which
    they run. So features and gradient norms are read from it. Those of TorchScript cannot be reached.
    """

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def open(self, weights: dict[str, Array]) -> None:
        """Load the file in weights["program"]; DamagedFile if it is none that can be used."""
        if PROGRAM not in weights:
            raise DamagedFile("the checkpoint contains no program")
        self.data = weights[PROGRAM].tobytes()
        self.inner = read_program(self.data)

    def contents(self) -> dict[str, Array]:
        """Return the bytes of the file, which has code and weights."""
        return {PROGRAM: as_bytes(self.data)}

    @property
    def random(self) -> bool:
        """Whether a torch.export program draws random numbers."""
        if not isinstance(self.inner, fx.GraphModule):
            return False
        return any(_draws(node, self.inner) for node in self.inner.graph.nodes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of normalised images."""
        if isinstance(self.inner, fx.GraphModule):
            _move(self.inner, images.device)
        with _unfused():  # fusing would round differently from one call to the next
            logits: Tensor = self.inner(images)
        return logits


def as_bytes(data: bytes) -> Array:
    """Return bytes as an array for a checkpoint."""
    return np.frombuffer(data, np.uint8).copy()


def is_program(file: IO[bytes]) -> bool:
    """Return whether an open file is of torch.export or TorchScript, by the names of the files in it."""
    return _holds(file, "/models/") or _holds(file, "/code/")


def read_program(data: bytes) -> nn.Module:
    """Return the network in a file of torch.export or TorchScript, in eval mode on the CPU. This can run any code in it.

    To read a program takes seconds, and a job asks for one many times. So the last two are kept, and copied.

    Raises:
        DamagedFile: it is neither, or is not whole, or is no classifier of one batch of any number of images.
    """
    return copy.deepcopy(_read(data))


@functools.lru_cache(maxsize=2)  # a network, and the one that gives it its gradient
def _read(data: bytes) -> nn.Module:
    try:
        if _holds(io.BytesIO(data), "/code/"):
            return _load_script(io.BytesIO(data), map_location="cpu").eval()
        with _quiet():
            program = _load_export(io.BytesIO(data))
    except (*NOT_WHOLE, OSError) as error:
        raise DamagedFile(f"not a whole file of torch.export or TorchScript ({first_line(error)})") from error
    _check_signature(program)
    network = program.module(check_guards=False)
    _check_state(network)
    return with_layers(network)


def stated_shape(network: nn.Module) -> tuple[int | None, ...]:
    """Return (C, H, W) that a torch.export program was made for, None for a side of any length; () for TorchScript."""
    if not isinstance(network, fx.GraphModule):
        return ()
    (images,) = (node for node in network.graph.nodes if node.op == "placeholder")
    return tuple(side if isinstance(side, int) else None for side in images.meta["val"].shape[1:])


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch from printing tracebacks; the error says what is wrong."""
    logger = logging.getLogger("torch.export")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _holds(file: IO[bytes], folder: str) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(folder in name for name in archive.namelist())
    except NOT_WHOLE:
        return False


def _check_signature(program: Any) -> None:
    signature: Any = program.graph_signature
    inputs, outputs = len(signature.user_inputs), len(signature.user_outputs)
    if (inputs, outputs) != (1, 1):
        raise DamagedFile(f"takes {inputs} inputs and returns {outputs} outputs; expected images and logits")
    if signature.buffers_to_mutate:
        raise DamagedFile(CHANGES)
    (images,) = (node for node in program.graph.nodes if node.name == signature.user_inputs[0])
    shape: tuple[Any, ...] = tuple(getattr(images.meta.get("val"), "shape", ()))
    if len(shape) != 4:
        raise DamagedFile("takes no batch of images: expected a tensor of 4 dimensions (N, C, H, W)")
    if isinstance(shape[0], int):
        raise DamagedFile(f"was exported for {shape[0]} images at once. Export it for any number: {EXPORT_LINE}")


def _check_state(network: fx.GraphModule) -> None:
    """Raise DamagedFile if an operator writes into a weight, or normalises by the batch."""
    for node in network.graph.nodes:
        if "batch_norm" in operator_of(node) and _settings(node, network).get("training"):
            raise DamagedFile(TIES)
        written = node.args[0] if node.args and operator_of(node).partition(".")[0].endswith("_") else None
        if isinstance(written, fx.Node) and written.op == "get_attr":
            raise DamagedFile(CHANGES)


def _draws(node: fx.Node, program: fx.GraphModule) -> bool:
    """Return whether a node draws random numbers. Dropout draws none outside training, or for no share of the values."""
    if torch.Tag.nondeterministic_seeded not in getattr(node.target, "tags", ()):
        return False
    settings = _settings(node, program)
    chance = settings.get("p", settings.get("dropout_p", 1))
    return settings.get("train", settings.get("training", True)) is not False and chance != 0


def _settings(node: fx.Node, program: fx.GraphModule) -> dict[str, Any]:
    """Return the arguments of an operator by name; none of what is no operator of torch."""
    given = node.normalized_arguments(program, normalize_to_only_use_kwargs=True)
    return dict(given.kwargs) if given else {}


def _move(program: fx.GraphModule, device: torch.device) -> None:
    """Let the operators that name a device make their tensors on this one."""
    changed = False
    for node in program.graph.nodes:
        arguments = (node.args, dict(node.kwargs))
        moved = fx.node.map_aggregate(arguments, lambda each: device if isinstance(each, torch.device) else each)
        if moved != arguments:
            (node.args, node.kwargs), changed = moved, True
    if changed:
        program.recompile()
