"""ONNX files as differentiable networks, by onnx2pytorch, which is an optional dependency.

Only standard operators are accepted, and weights only from the file's own folder. Call this through
touchstone.network_files.confined: the libraries were not written for hostile files.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.messages import first_line

LIBRARY = "onnx2pytorch"
INSTALL = f".venv/bin/pip install {LIBRARY}"
STANDARD = ("", "ai.onnx")  # the domain of ONNX's own operators
OPENS_PICTURES = "ImageDecoder"  # the one standard operator that reads a file format
TOLERANCE = 1e-3  # of the largest logit: what float32 may differ by between two ways to compute a network


class Converted(nn.Module):
    """A converted network, called with one batch of images.

    Attributes:
        shape: (C, H, W) that the file states.
    """

    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network = network
        self.shape = shape

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K)."""
        logits: Tensor = self.network(images)
        return logits


def open_onnx(path: Path, export: str) -> Converted:
    """Return the network in an ONNX file, in eval mode.

    Args:
        path: of the file.
        export: what to do instead, for messages.

    Raises:
        ValueError: If onnx2pytorch cannot convert the file; if it uses operators or weights from elsewhere; if the
            network does not take one batch of any number of images, or was saved in train mode; or if the converted
            network returns other logits than ONNX's own reference.
    """
    onnx: Any = importlib.import_module("onnx")
    try:
        file = onnx.load(path, load_external_data=False)
        _check_operators(path, file)
        for tensor in _messages(file, onnx.TensorProto):
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                _check_place(path, tensor)
                onnx.external_data_helper.load_external_data_for_tensor(tensor, str(path.parent))
        onnx.checker.check_model(file)
    except _Refused:
        raise
    except (ValueError, OSError, onnx.checker.ValidationError, _decode_error()) as error:
        raise ValueError(f"{path}: not a whole ONNX file ({first_line(error)})") from error
    name, shape = _only_input(path, file)
    plain = _plain(path, file)
    try:
        network = Converted(importlib.import_module(LIBRARY).ConvertModel(plain), shape).eval()
        _compare(path, network, file, name, shape)
    except (NotImplementedError, RuntimeError, TypeError, AttributeError, KeyError, IndexError) as error:
        raise ValueError(f"{path}: {LIBRARY} cannot convert it ({first_line(error)}); {export}") from error
    return network


class _Refused(ValueError):
    """A whole ONNX file that asks for something that is not allowed."""


def check_libraries(path: Path, export: str) -> None:
    """Raise ValueError, with what to do, if the libraries that convert ONNX files are missing."""
    if any(importlib.util.find_spec(name) is None for name in (LIBRARY, "onnx")):
        raise ValueError(
            f"{path}: an ONNX file has no gradients by itself; {LIBRARY} gives it some but is not installed: {INSTALL};"
            f" better, {export}"
        )


def _check_operators(path: Path, file: Any) -> None:
    onnx: Any = importlib.import_module("onnx")
    for node in _messages(file, onnx.NodeProto):
        if node.domain not in STANDARD or node.op_type == OPENS_PICTURES:
            name = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            raise _Refused(f"{path}: uses the operator {name}; only ONNX's own are run, without {OPENS_PICTURES}")


def _check_place(path: Path, tensor: Any) -> None:
    """Refuse weights that are not in a file of their own beside the model."""
    place = {entry.key: entry.value for entry in tensor.external_data}.get("location", "")
    file = path.parent / place
    if place in ("", ".", "..") or Path(place).name != place or file.is_symlink() or not file.is_file():
        raise _Refused(
            f"{path}: keeps weights in {place!r}; they are read only from a file in the same folder, under its plain name"
        )


def _messages(message: Any, kind: Any) -> Iterator[Any]:
    """Yield every message of a kind inside a message, including itself."""
    if isinstance(message, kind):
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for inner in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(inner, kind)


def _decode_error() -> type[Exception]:
    error: type[Exception] = importlib.import_module("google.protobuf.message").DecodeError
    return error


def _only_input(path: Path, file: Any) -> tuple[str, tuple[int, ...]]:
    """Return the name and (C, H, W) of the only input.

    ValueError unless it is one batch of images.
    """
    weights = {weight.name for weight in file.graph.initializer}
    inputs = [value for value in file.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(file.graph.output) != 1:
        raise ValueError(
            f"{path}: takes {len(inputs)} inputs and returns {len(file.graph.output)} outputs; expected images and logits"
        )
    sizes = [side.dim_value for side in inputs[0].type.tensor_type.shape.dim]  # 0 for any size
    if len(sizes) != 4 or 0 in sizes[1:]:
        shape = " x ".join(str(size or "any") for size in sizes)
        raise ValueError(
            f"{path}: its input is {shape}; expected any x channels x height x width, the last three fixed"
        )
    if sizes[0]:
        raise ValueError(
            f"{path}: takes {sizes[0]} image{'s' * (sizes[0] > 1)} at once; export it again with the first side of its"
            " input dynamic (dynamic_shapes, or dynamic_axes in old versions of torch)"
        )
    return inputs[0].name, tuple(sizes[1:])


def _plain(path: Path, file: Any) -> Any:
    """Return a copy that can be converted and traced: plain names, and Dropout that is off becomes an identity.

    Exporters name values by their place in the network, "/n/n.0/Conv_output_0". The library turns these names into
    attributes, which TorchScript then cannot resolve. ValueError if Dropout or batch statistics are on.
    """
    plain = type(file)()
    plain.CopyFrom(file)  # the library changes its input, and the reference must run the file as it is
    constants = _constants(file.graph)
    for node in plain.graph.node:
        if node.op_type == "BatchNormalization" and any(a.name == "training_mode" and a.i for a in node.attribute):
            _refuse_training(path, node)
        if node.op_type != "Dropout":
            continue
        mode = node.input[2] if len(node.input) > 2 else ""
        if constants.get(mode):
            _refuse_training(path, node)
        if (not mode or mode in constants) and len(node.output) == 1:  # others are masks, which may be used
            node.op_type = "Identity"
            del node.input[1:], node.output[1:], node.attribute[:]
    names: dict[str, str] = {"": ""}  # an omitted input
    _rename(plain.graph, names)
    return plain


def _refuse_training(path: Path, node: Any) -> None:
    raise ValueError(
        f"{path}: its {node.op_type} is on, as in training; call model.eval() right before it is exported (torch's older"
        " exporter may leave parts of a network in train mode behind it)"
    )


def _constants(graph: Any) -> dict[str, bool]:
    """Return each value of one element that the file fixes, and whether it is true."""
    numpy_helper: Any = importlib.import_module("onnx").numpy_helper
    tensors = [(tensor.name, tensor) for tensor in graph.initializer]
    for node in graph.node:
        if node.op_type == "Constant":
            tensors += [(node.output[0], attribute.t) for attribute in node.attribute if attribute.name == "value"]
    arrays = ((name, numpy_helper.to_array(tensor)) for name, tensor in tensors)
    return {name: bool(values.item()) for name, values in arrays if values.size == 1 and values.dtype.kind in "biuf"}


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Give plain names to every value of a graph, and of the graphs inside its nodes."""

    def plain(name: str) -> str:
        return names.setdefault(name, f"value_{len(names)}")

    for named in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        named.name = plain(named.name)
    for node in graph.node:
        node.name = ""
        node.input[:] = [plain(name) for name in node.input]
        node.output[:] = [plain(name) for name in node.output]
        for inner in _inner(node):
            _rename(inner, names)


def _inner(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        yield from ([attribute.g] if attribute.HasField("g") else [])
        yield from attribute.graphs


def _compare(path: Path, network: nn.Module, file: Any, name: str, shape: tuple[int, ...]) -> None:
    """Check that the network returns the file's logits for three images, one by one and in a batch."""
    images = torch.rand((3, *shape), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    reference = importlib.import_module("onnx.reference").ReferenceEvaluator(file)
    (wanted,) = reference.run(None, {name: images[:1].numpy()})  # one image, because the reference is slow
    bound = TOLERANCE * float(np.abs(wanted).max())
    for actual, expected, what in (
        (alone[:1], torch.from_numpy(wanted), "ONNX's reference"),
        (together, alone, "a batch"),
    ):
        if actual.shape != expected.shape or not bool(((actual - expected).abs() <= bound).all()):
            raise ValueError(f"{path}: converted by {LIBRARY}, it does not return the logits of {what}; do not use it")
