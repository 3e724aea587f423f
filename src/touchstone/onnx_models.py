"""ONNX files as differentiable networks, where onnx2pytorch is installed: nothing that touchstone needs depends on it."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LIBRARY = "onnx2pytorch"
INSTALL = f".venv/bin/pip install {LIBRARY}"
TOLERANCE = 1e-3  # of the largest logit: what float32 may differ by between two ways to compute a network


class Converted(nn.Module):
    """What the library made of a file, called with one batch of images."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K)."""
        logits: Tensor = self.network(images)
        return logits


def open_onnx(path: Path, export: str) -> nn.Module:
    """Return the network in an ONNX file, in eval mode.

    export: what to do instead, in words. ValueError with them where onnx2pytorch is missing or cannot convert the file,
    where the network takes anything but one batch of images of any number, and where what was converted returns other
    logits than ONNX's own reference does.
    """
    missing = [name for name in (LIBRARY, "onnx") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(
            f"{path}: an ONNX file has no gradients by itself; {LIBRARY} gives it some but is not installed: {INSTALL};"
            f" better, {export}"
        )
    onnx: Any = importlib.import_module("onnx")
    try:
        file = onnx.load(path)
        onnx.checker.check_model(file)
    except (ValueError, OSError, onnx.checker.ValidationError, _decode_error()) as error:
        raise ValueError(f"{path}: not a whole ONNX file ({first_line(error)})") from error
    name, shape = _only_input(path, file)
    try:
        network = Converted(importlib.import_module(LIBRARY).ConvertModel(file)).eval()
        _compare(path, network, file, name, shape)
    except (NotImplementedError, RuntimeError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: {LIBRARY} cannot convert it ({first_line(error)}); {export}") from error
    return network


def _decode_error() -> type[Exception]:
    found: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return found


def first_line(error: Exception) -> str:
    """Return what an error says first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _only_input(path: Path, file: Any) -> tuple[str, tuple[int, ...]]:
    """Return the name and the (C, H, W) of the one input; ValueError where there are more or it is no batch of images."""
    weights = {weight.name for weight in file.graph.initializer}
    inputs = [given for given in file.graph.input if given.name not in weights]
    if len(inputs) != 1 or len(file.graph.output) != 1:
        raise ValueError(
            f"{path}: takes {len(inputs)} inputs and returns {len(file.graph.output)} outputs; expected images and logits"
        )
    sizes = [side.dim_value for side in inputs[0].type.tensor_type.shape.dim]  # 0 where any size will do
    if len(sizes) != 4 or 0 in sizes[1:]:
        told = " x ".join(str(size or "any") for size in sizes)
        raise ValueError(f"{path}: its input is {told}; expected any x channels x height x width, the last three fixed")
    if sizes[0]:
        raise ValueError(
            f"{path}: takes {sizes[0]} image{'s' * (sizes[0] > 1)} at once; export it again with the first side of its"
            " input dynamic (dynamic_shapes, or dynamic_axes in old versions of torch)"
        )
    return inputs[0].name, tuple(sizes[1:])


def _compare(path: Path, network: nn.Module, file: Any, name: str, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the network returns for each of three images what the file does, alone or in a batch."""
    images = torch.rand((3, *shape), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    reference = importlib.import_module("onnx.reference").ReferenceEvaluator(file)
    (wanted,) = reference.run(None, {name: images[:1].numpy()})  # one image alone: the reference is slow
    bound = TOLERANCE * max(1.0, float(np.abs(wanted).max()))
    for found, expected, what in (
        (alone[:1], torch.from_numpy(wanted), "ONNX's reference"),
        (together, alone, "a batch"),
    ):
        if found.shape != expected.shape or not bool(((found - expected).abs() <= bound).all()):
            raise ValueError(f"{path}: what {LIBRARY} made of it does not return the logits of {what}; do not use it")
