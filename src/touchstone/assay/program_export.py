"""Export a user's network to a program file, beside the study that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.assay.user_models import UserModel, program_model, script_model
from touchstone.messages import first_line
from touchstone.network_files.confined import confined
from touchstone.network_files.onnx_conversion import open_onnx
from touchstone.network_files.programs import FAULTS
from touchstone.network_files.pt2_archive import read_program
from touchstone.network_files.weight_files import EXPORT
from touchstone.pipeline.provenance import whole_files
from touchstone.records.encoding import DamagedFile

ONNX_SECONDS = 1800
TOLERANCE = 1e-3  # of the largest logit: between a network and its exported program


def put_into_file(model: UserModel, shape: tuple[int, int, int], target: Path) -> UserModel:
    """Return the model with its network exported to a file beside `target`.

    The file is a .pt2. If torch.export cannot follow the network's code, or writes operations that touchstone does not
    run, the network is traced to TorchScript (.ts) instead, and the model's notes say so.
    """
    notes = model.notes
    if model.onnx is not None:
        confined(f"{__name__}:convert_onnx", model.onnx, target, seconds=ONNX_SECONDS)
    elif model.network is not None:
        _check_float(model.network)
        _check_tensor(model.network, shape)
        notes += _write_program(model.network, shape, target)
    else:
        return model
    if (file := target.with_suffix(".pt2")).is_file():
        return replace(program_model(file), network=model.network, exported=True, notes=notes)
    file = target.with_suffix(".ts")  # traced here, from code that has run already
    if model.onnx is not None:
        notes += (
            "torch.export cannot follow the converted network, so it was traced to TorchScript, which"
            " keeps one branch of each condition",
        )
    return replace(script_model(file, trust_code=True), network=model.network, exported=True, notes=notes)


def check_same(network: nn.Module, program: nn.Module, images: Tensor) -> None:
    """Raise ValueError if a program does something else than the network that it was exported from.

    Tracing records only the branches that its example input, noise, has taken. A network that draws random numbers cannot
    be compared.
    """
    with torch.no_grad():
        own, again = network(images), network(images)
        try:
            exported = program(images)
        except FAULTS as error:
            raise _for_a_fixed_number(len(images)) from error
    if exported.shape != own.shape:
        raise _for_a_fixed_number(len(images))
    if torch.equal(own, again) and not torch.allclose(own, exported, atol=TOLERANCE * float(own.abs().max())):
        raise ValueError(
            "the program that torch exports from the network returns other logits than the network: its code branches on"
            " the images, and only one branch is exported. Choose with torch.where instead"
        )


def _for_a_fixed_number(count: int) -> ValueError:
    return ValueError(
        f"the program that torch exports from the network does not take {count} images, but the network does: its code"
        " leaves torch, or has the number of images as a plain number. Instead of len(x), .item() or numpy use x.shape[0],"
        " x.flatten(1) and torch's functions"
    )


def _check_float(network: nn.Module) -> None:
    """Raise ValueError for a quantised network: attacks cannot follow its gradient."""
    if any(".quantized" in type(module).__module__ for module in network.modules()):
        raise ValueError(
            "the network is quantised, and integer arithmetic is not differentiable. Assay the network of floats that it was"
            " made from; its attacked images can then be tried on the quantised one"
        )


def _check_tensor(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raise ValueError if the network returns more than a tensor; what it does not take is told later."""
    try:
        with torch.no_grad():
            output = network(torch.rand(2, *shape))
    except FAULTS:
        return
    if not isinstance(output, Tensor):
        raise ValueError(
            f"the model returns a {type(output).__name__}; return only the logits, a tensor (images, classes)"
        )


def convert_onnx(path: Path, target: Path) -> None:
    """Convert an ONNX file to a program beside `target`; ValueError if it cannot be converted."""
    network = open_onnx(path, EXPORT)
    channels, height, width = network.shape
    _write_program(network, (channels, height, width), target)


def _write_program(network: nn.Module, shape: tuple[int, int, int], target: Path) -> tuple[str, ...]:
    """Write a network beside `target` as .pt2, or as .ts if .pt2 fails; return notes for the user."""
    from torch._dynamo.exc import TorchDynamoException  # the compiler takes as long as torch itself; exporting needs it

    file = target.with_suffix(".pt2")
    try:
        _export(network, shape, file)
        read_program(file)
    except (*FAULTS, TorchDynamoException) as error:
        file.unlink(missing_ok=True)
        _traced(network, shape).save(str(target.with_suffix(".ts")))
        return (f"torch.export cannot follow its code ({first_line(error)}), so it was traced to TorchScript",)
    return ()


def copy_beside(model: UserModel, target: Path) -> UserModel:
    """Return the model with its exported file copied beside `target`.

    An equal program that is there already is not written again.
    """
    if not model.exported or model.file is None:
        return model
    file = target.with_suffix(model.file.suffix)
    if not same_program(file, model.file):
        whole_files.write_whole(file, model.file.read_bytes())
    return replace(model, file=file)


def _export(network: nn.Module, shape: tuple[int, int, int], target: Path) -> None:
    images = torch.rand(2, *shape)
    with torch.no_grad():
        network(images)  # a network that does not fit the images fails here, with its own message
    program = torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("images", min=1)},))
    torch.export.save(program, target)


def _traced(network: nn.Module, shape: tuple[int, int, int]) -> Any:
    try:
        trace: Callable[..., Any] = torch.jit.trace
        return trace(network, torch.rand(2, *shape))
    except FAULTS as error:
        reason = str(error).strip().rpartition("\n")[2] or type(error).__name__
        raise ValueError(
            f"the model does not take images of {' x '.join(map(str, shape))}: {reason.rstrip('.!')}."
            " --resize HEIGHTxWIDTH, --gray or --rgb change the images"
        ) from error


def same_program(present: Path, exported: Path) -> bool:
    """Return whether a file holds the program of another file, which has the same suffix."""
    if not present.is_file() or present.read_bytes() == exported.read_bytes():
        return present.is_file()
    try:
        (graph, weights), (other, fresh) = read_program(present), read_program(exported)
    except DamagedFile:  # TorchScript, another kind of file, or one that is not whole
        return False
    return (
        graph == other and weights.keys() == fresh.keys() and all(np.array_equal(weights[k], fresh[k]) for k in fresh)
    )
