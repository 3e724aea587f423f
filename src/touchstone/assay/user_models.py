"""A user's model in any of its forms: a name, weights with a function, ONNX, a torch.export program, TorchScript.

Weights are read as data. The other files, and the user's function, can run any code: they need `--trust-code`.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from touchstone.assay import model_zoo, networks_from_weights
from touchstone.assay.arguments import missing_model
from touchstone.assay.model_zoo import Published
from touchstone.assay.weight_files import read_weights
from touchstone.messages import first_line
from touchstone.models.networks.programs import (
    EXPORT_LINE,
    PROGRAM,
    RISK,
    ProgramFile,
    as_bytes,
    is_program,
    stated_shape,
)
from touchstone.records.damage import DamagedFile

INSTALL_ONNX = "pip install onnx2torch"
TAKEN_BY = {  # {option: its models}
    "weights": "a network of torchvision or timm",
    "architecture": "a file of weights",
    "key": "a file of weights",
}


@dataclass(frozen=True)
class UserModel:
    """A user's model: a program file, or a network that becomes one.

    network: loaded from anything but a program. exported: the file was made from it. notes: sentences for the user.
    published: what a leaderboard says of it.
    """

    file: Path | None = None
    network: nn.Module | None = None
    exported: bool = False
    notes: tuple[str, ...] = ()
    published: Published | None = None

    def program(self, shape: tuple[int, int, int]) -> ProgramFile:
        """Return the program as the study will run it.

        Raises:
            DamagedFile: the file cannot be opened.
            ValueError: it is for images of another shape than (C, H, W).
        """
        assert self.file is not None, "export the network first"
        program = ProgramFile()
        try:
            program.open({PROGRAM: as_bytes(self.file.read_bytes())})
        except DamagedFile as error:
            raise DamagedFile(f"{self.file.name}: {error}") from error
        stated = stated_shape(program.inner)
        if any(side not in (None, own) for side, own in zip(stated, shape, strict=False)):
            made_for, yours = (" x ".join(str(side or "any") for side in sides) for sides in (stated, shape))
            raise ValueError(
                f"{self.file.name}: was made for images of {made_for} (channels x height x width), and yours are {yours}."
                " --resize HEIGHTxWIDTH, --gray or --rgb change the images"
            )
        return program


def open_model(
    model: str,
    *,
    architecture: str | None = None,
    weights: str | None = None,
    key: str | None = None,
    trust_code: bool = False,
) -> UserModel:
    """Return the model that a path or a name stands for.

    Args:
        model: a file, the name of a network of torchvision (or of timm, if it is installed), or robustbench:NAME.
        architecture: "module:function" that returns the network for the weights in the file.
        weights: a file for a named network; by default, its published weights are downloaded.
        key: what the weights are stored under in a file that holds several.
        trust_code: whether a program, an ONNX file or the function of `architecture` may run its code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the model cannot be opened, or does not use an option; the message says what to do.
    """
    if model.startswith(model_zoo.PREFIX):
        return _zoo_model(model)
    path = Path(model).expanduser()
    if not path.is_file():
        if path.suffix or "/" in model:
            raise missing_model(model)
        _refuse_unused(model, architecture=architecture, **{} if weights else {"key": key})
        network, notes = networks_from_weights.published(model, weights, key)
        return UserModel(network=network, notes=notes)
    _refuse_unused(model, weights=weights)
    if path.suffix == ".onnx":
        _refuse_unused(model, architecture=architecture, key=key)
        _check_trusted(f"{path}: converting an ONNX file", trust_code)
        return UserModel(network=_from_onnx(path), notes=("it was converted from ONNX",))
    with path.open("rb") as stream:
        program = path.suffix != ".safetensors" and is_program(stream)
    if program:
        _refuse_unused(model, architecture=architecture, key=key)
        _check_trusted(f"{path}: opening a program", trust_code)
        return UserModel(path, notes=(f"{path.name} can run its own code, as you trusted it to",))
    content = read_weights(path, is_named=architecture is not None)
    if architecture is not None:
        _check_trusted(f"--architecture {architecture}: the function", trust_code)
    network, notes = networks_from_weights.filled(architecture, content, path, key)
    return UserModel(network=network, notes=notes)


def _check_trusted(what: str, trust_code: bool) -> None:
    """Raise ValueError unless the user agreed to run the code of a file."""
    if not trust_code:
        raise ValueError(f"{what} {RISK}. If you trust it, add --trust-code. If you do not, use a container")


def _refuse_unused(model: str, **options: str | None) -> None:
    """Raise ValueError for an option that a model of this kind would ignore."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name} {value}: is only for {TAKEN_BY[name]}, and {model} is not one; omit it")


def _zoo_model(model: str) -> UserModel:
    """Return a network of RobustBench with its published figures."""
    published = model_zoo.published(model)
    notes = (f"{published.sentence()}; its attacks and test images are not these",)
    return UserModel(network=model_zoo.network(published.name), notes=notes, published=published)


def _from_onnx(path: Path) -> nn.Module:
    """Return the network that onnx2torch makes of an ONNX file, in eval mode."""
    try:
        library: Any = importlib.import_module("onnx2torch")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"{path}: an ONNX file needs the package {error.name}, which is not installed: {INSTALL_ONNX}. Better, export"
            f" the model instead: {EXPORT_LINE}"
        ) from error
    try:
        network: nn.Module = library.convert(path)
    except Exception as error:  # the package raises whatever its converters raise
        raise ValueError(
            f"{path}: onnx2torch cannot convert it ({first_line(error)}). Export the model instead: {EXPORT_LINE}"
        ) from error
    return network.eval()
