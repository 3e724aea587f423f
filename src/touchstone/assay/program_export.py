"""Export a user's network to a program file, beside the study that reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from touchstone.api import gate
from touchstone.assay.networks_from_weights import gpu_advice
from touchstone.assay.user_models import UserModel
from touchstone.messages import first_line
from touchstone.models.networks.programs import FAULTS, read_program
from touchstone.provenance import whole_files

UNEXPORTED = "assay module:function, which runs the network as it is"
TOLERANCE = 1e-3  # of the lead of the largest logit: between a network and its exported program


def put_into_file(model: UserModel, shape: tuple[int, int, int], target: Path) -> UserModel:
    """Return the model with its network exported to a file beside `target`.

    The file is a .pt2. What torch.export cannot follow, such as len(images), its slower strict mode may. If neither can, the
    network is traced to TorchScript (.ts) instead, and the model's notes say so.
    """
    if model.network is None:
        return model
    from torch._dynamo.exc import TorchDynamoException  # the compiler takes as long as torch itself; exporting needs it

    _check_float(model.network)
    _check_output(model.network, shape)
    file, reason = target.with_suffix(".pt2"), ""
    for strict in (False, True):
        try:
            _export(model.network, shape, file, strict)
            read_program(file.read_bytes())
            return replace(model, file=file, exported=True)
        except (*FAULTS, TorchDynamoException) as error:
            file.unlink(missing_ok=True)
            reason = reason or _reason(error)
    file = target.with_suffix(".ts")
    _traced(model.network, shape, reason).save(str(file))
    note = (
        f"torch.export cannot follow its code ({reason}), so it was traced to TorchScript, which keeps one branch of each"
        " condition"
    )
    return replace(model, file=file, exported=True, notes=(*model.notes, note))


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
    if torch.equal(own, again) and gate.differ(own, exported, TOLERANCE):
        raise ValueError(
            "the program that torch exports from the network returns other logits than the network: its code branches on"
            f" the images, and only one branch is exported. Choose with torch.where instead, or {UNEXPORTED}"
        )


def _for_a_fixed_number(count: int) -> ValueError:
    return ValueError(
        f"the program that torch exports from the network does not take {count} images, but the network does: its code"
        " leaves torch, or has the number of images as a plain number. Instead of len(x), .item() or numpy use x.shape[0],"
        f" x.flatten(1) and torch's functions, or {UNEXPORTED}"
    )


def _check_float(network: nn.Module) -> None:
    """Raise ValueError for a quantised network: attacks cannot follow its gradient."""
    if any(".quantized" in type(module).__module__ for module in network.modules()):
        raise ValueError(
            "the network is quantised, and integer arithmetic is not differentiable. Assay the network of floats that it was"
            " made from; its attacked images can then be tried on the quantised one"
        )


def _check_output(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Raise ValueError if the network does not take images of this shape, or returns more than a tensor."""
    try:
        with torch.no_grad():
            output = network(_noise(shape))
    except FAULTS as error:
        if advice := gpu_advice(error):
            raise ValueError(f"the model cannot run: {advice}") from error
        reason = str(error).strip().rpartition("\n")[2] or type(error).__name__
        raise ValueError(
            f"the model does not take images of {' x '.join(map(str, shape))}: {reason.rstrip('.!')}."
            " --resize HEIGHTxWIDTH, --gray or --rgb change the images"
        ) from error
    if not isinstance(output, Tensor):
        raise ValueError(
            f"the model returns a {type(output).__name__}; return only the logits, a tensor (images, classes)"
        )


def _reason(error: Exception) -> str:
    """Return why a network cannot be exported: of a batch that became a number, the part of the message that says so."""
    if (at := str(error).find("your code specialized it")) >= 0:
        return str(error)[at:].partition(".")[0]
    return first_line(error)


def copy_beside(model: UserModel, target: Path) -> UserModel:
    """Return the model with its exported file copied beside `target`.

    An equal program that is there already is not written again.
    """
    if not model.exported or model.file is None:
        return model
    file = target.with_suffix(model.file.suffix)
    if not file.is_file() or file.read_bytes() != model.file.read_bytes():
        whole_files.write_whole(file, model.file.read_bytes())
    return replace(model, file=file)


def _noise(shape: tuple[int, int, int]) -> Tensor:
    """Return two images of noise, the same each time, because torch.export stores them."""
    return torch.rand((2, *shape), generator=torch.Generator().manual_seed(0))


def _export(network: nn.Module, shape: tuple[int, int, int], target: Path, strict: bool) -> None:
    any_number = ({0: torch.export.Dim("images", min=1)},)
    program = torch.export.export(network, (_noise(shape),), dynamic_shapes=any_number, strict=strict)
    torch.export.save(program, target)


def _traced(network: nn.Module, shape: tuple[int, int, int], reason: str) -> Any:
    """Return the traced network; `check_same` compares it, so torch's own check, which has no tolerance, is left out."""
    trace: Callable[..., Any] = torch.jit.trace
    try:
        return trace(network, _noise(shape), check_trace=False)
    except FAULTS as error:
        raise ValueError(
            f"the network cannot be made a program: torch.export cannot follow its code ({reason}), and no trace can"
            f" ({first_line(error)}). Use torch's functions only, x.shape[0] for len(x), or {UNEXPORTED}"
        ) from error
