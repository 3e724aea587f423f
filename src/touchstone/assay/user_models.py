"""A user's model in any of its forms: an exported program, TorchScript, ONNX, weights, a pickle, a torchvision name.

No code in a file is run unless the user agrees. Programs are read as data; weights and ONNX in a process of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn

from touchstone.assay import model_zoo, networks_from_weights
from touchstone.assay.arguments import missing_model
from touchstone.assay.model_zoo import Published
from touchstone.messages import listed
from touchstone.network_files import trust
from touchstone.network_files.onnx_conversion import check_libraries
from touchstone.network_files.programs import GRAPH, GraphProgram, ScriptProgram, as_bytes, graph_bytes
from touchstone.network_files.pt2_archive import is_program, read_program
from touchstone.network_files.weight_files import EXPORT, EXPORT_LINE, tensors, unpickled
from touchstone.network_files.zip_archives import names
from touchstone.networks.checkpoints import Program
from touchstone.records.encoding import DamagedFile

Kind = Literal["exported_program", "torchscript"]
TAKEN_BY = {  # {option: its models}
    "weights": "a network of torchvision or timm",
    "architecture": "a file of weights",
    "key": "a file of weights",
}
REHEARSED = (1, 8, 64)  # numbers of images that an assay runs a model on


@dataclass(frozen=True)
class UserModel:
    """A user's model: a program file, or what one can be exported from.

    network: loaded from anything but a program. onnx: a file to convert. exported: the file was exported from one of these.
    batch: the only number of images that it takes at once. notes: sentences for the user. published: what a leaderboard says of it.
    """

    kind: Kind
    file: Path | None = None
    network: nn.Module | None = None
    onnx: Path | None = None
    exported: bool = False
    batch: int | None = None
    shape: tuple[int | None, ...] = ()  # (C, H, W) as the program states it
    notes: tuple[str, ...] = ()
    published: Published | None = None

    def program(self, shape: tuple[int, int, int]) -> Program:
        """Return the program as the study will run it.

        Raises:
            ValueError: it cannot or must not run on images of this shape (C, H, W).
        """
        assert self.file is not None, "export the network first"
        if self.kind == "torchscript":
            script = ScriptProgram()
            script.open({GRAPH: as_bytes(self.file.read_bytes())})
            return script
        graph, weights = read_program(self.file)
        program = GraphProgram(self.batch)
        try:
            program.open({**weights, GRAPH: graph_bytes(graph)})
            for count in REHEARSED:
                program.rehearse((count, *shape), torch.device("cpu"))
        except DamagedFile as error:
            raise DamagedFile(f"{self.file.name}: {error}") from error
        except ValueError as error:
            raise ValueError(
                f"{self.file.name}: the model does not take your images, {' x '.join(map(str, shape))} (channels x height"
                f" x width): {str(error).rstrip('.')}. {self._advice(shape)}"
            ) from error
        return program

    def _advice(self, shape: tuple[int, int, int]) -> str:
        """Return what to do if the model does not take images of a shape (C, H, W)."""
        channels, *sides = shape
        if len(self.shape) == 3 and self.shape[2] == channels != self.shape[0] and self.shape[:2] != shape[:2]:
            resized = "" if list(self.shape[:2]) == sides else f", and pass --resize {self.shape[0]}x{self.shape[1]}"
            return (
                "It takes channels last. Export a network that moves them,"
                f" lambda images: model(images.permute(0, 2, 3, 1)){resized}"
            )
        return "--resize HEIGHTxWIDTH, --gray or --rgb change the images"


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
        trust_code: whether a pickle or TorchScript may run its code.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the model cannot be opened, or does not use an option; the message says what to do.
    """
    if model.startswith(model_zoo.PREFIX):
        return zoo_model(model)
    path = Path(model).expanduser()
    if not path.is_file():
        if path.suffix or "/" in model:
            raise missing_model(model)
        _refuse_unused(model, architecture=architecture, **{} if weights else {"key": key})
        network, notes = networks_from_weights.published(model, weights, key)
        return UserModel("exported_program", network=network, notes=notes)
    _refuse_unused(model, weights=weights)
    if path.suffix == ".onnx":
        _refuse_unused(model, architecture=architecture, key=key)
        check_libraries(path, EXPORT)
        return UserModel("exported_program", onnx=path, notes=("it was converted from ONNX",))
    if is_program(path):
        _refuse_unused(model, architecture=architecture, key=key)
        return program_model(path)
    if any("/code/" in name for name in names(path)):
        _refuse_unused(model, architecture=architecture, key=key)
        return script_model(path, trust_code)
    content = {"": tensors(path)} if path.suffix == ".safetensors" else unpickled(path, trust_code)
    if networks := {under: place for under, place in content.items() if isinstance(place, nn.Module)}:
        _refuse_unused(model, architecture=architecture)
        note = f"{path.name} was unpickled, so its code was run"
        return UserModel("exported_program", network=_pickled(networks, path, key).eval(), notes=(note,))
    network, notes = networks_from_weights.filled(architecture, content, path, key)
    return UserModel("exported_program", network=network, notes=notes)


def _pickled(networks: dict[str, nn.Module], path: Path, key: str | None) -> nn.Module:
    """Return the only network in a file, or that under a key; ValueError if there is none or another one."""
    if key is None and len(networks) == 1:
        return next(iter(networks.values()))
    if key is None or key not in networks:
        under = listed([name or "no key" for name in networks])
        raise ValueError(
            f"{path}: holds networks under {under}; --key {next(filter(None, networks), 'NAME')} takes one"
        )
    return networks[key]


def _refuse_unused(model: str, **options: str | None) -> None:
    """Raise ValueError for an option that a model of this kind would ignore."""
    for name, value in options.items():
        if value is not None:
            raise ValueError(f"--{name} {value}: is only for {TAKEN_BY[name]}, and {model} is not one; omit it")


def zoo_model(model: str) -> UserModel:
    """Return a network of RobustBench with its published figures."""
    published = model_zoo.published(model)
    notes = (f"{published.sentence()}; its attacks and test images are not these",)
    return UserModel("exported_program", network=model_zoo.network(published.name), notes=notes, published=published)


def program_model(path: Path) -> UserModel:
    """Return the model in a file of torch.export."""
    graph, _ = read_program(path)
    batch, *shape = graph["shape"]
    fixed = f"it was exported for {batch} images at once, so it runs on as many; for any number: {EXPORT_LINE}"
    notes = () if batch is None else (fixed,)
    return UserModel("exported_program", path, batch=batch, shape=tuple(shape), notes=notes)


def script_model(path: Path, trust_code: bool) -> UserModel:
    """Return the model in a TorchScript file.

    Raises:
        ValueError: the user has not agreed to run its code.
    """
    data = path.read_bytes()
    if trust_code:
        trust.trust(data, path.name)
    if not trust.trusted(data):
        raise ValueError(f"{path}: {trust.refusal(data)}. Better, {EXPORT}")
    return UserModel("torchscript", path, notes=("TorchScript runs its own code, as you trusted it to",))
