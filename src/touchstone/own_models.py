"""A model of the user's own, in any of its forms, as what a study can hold: an exported program or TorchScript.

No pickle is executed unless the user says so: weights are read with torch's weights_only, programs as data.
"""

from __future__ import annotations

import importlib
import importlib.util
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from touchstone.error_lines import first_line
from touchstone.model_probe import EXPORT_LINE
from touchstone.networks import Program
from touchstone.onnx_models import open_onnx
from touchstone.programs import GRAPH, GraphProgram, ScriptProgram, as_bytes, graph_bytes
from touchstone.pt2_archive import is_program, read_program
from touchstone.records import DamagedFile
from touchstone.settings_files import nearest

Kind = Literal["exported_program", "torchscript"]
WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
RISK = "a pickle runs whatever code its author put into it, with your rights, the moment it is opened"
EXPORT = f"export it instead, where it was made: {EXPORT_LINE}"


@dataclass(frozen=True)
class OwnModel:
    """A program to be put into a study, and what was noticed on the way.

    network: as loaded from outside a program, and not yet kept as one; else None. It becomes what `kind` says: TorchScript
    where torch.export is known not to follow it. batch: the only number of images it takes.
    """

    kind: Kind
    file: Path | None = None
    network: nn.Module | None = None
    batch: int | None = None
    shape: tuple[int | None, ...] = ()  # (C, H, W) as the program states it
    told: tuple[str, ...] = ()

    def program(self) -> Program:
        """Return the program as the study will run it."""
        assert self.file is not None, "put a network into a file first"
        if self.kind == "torchscript":
            script = ScriptProgram()
            script.open({GRAPH: as_bytes(self.file.read_bytes())})
            return script
        graph, weights = read_program(self.file)
        found = GraphProgram(self.batch)
        found.open({**weights, GRAPH: graph_bytes(graph)})
        return found


def open_model(
    model: str, *, architecture: str | None = None, weights: str | None = None, trust_pickle: bool = False
) -> OwnModel:
    """Return what `model` names: a file, or a network of torchvision (of timm, where that is installed).

    architecture: "module:function" that returns the network which the weights in the file fit. weights: a file for a
    named network; without, its published weights are downloaded. ValueError says in words what is missing.
    """
    path = Path(model).expanduser()
    if not path.is_file():
        if path.suffix or "/" in model:
            raise FileNotFoundError(f"no model file {model}")
        return _named(model, weights)
    if path.suffix == ".onnx":
        converted = open_onnx(path, EXPORT)
        return OwnModel(
            "torchscript",
            network=converted,
            shape=converted.shape,
            told=("it was converted from ONNX to TorchScript",),
        )
    if is_program(path):
        graph, _ = read_program(path)
        batch, *shape = graph["shape"]
        fixed = f"it was exported for {batch} images at once, so it runs on as many; for any number: {EXPORT_LINE}"
        told = () if batch is None else (fixed,)
        return OwnModel("exported_program", path, batch=batch, shape=tuple(shape), told=told)
    if _is_script(path):
        return OwnModel("torchscript", path)
    if path.suffix == ".safetensors":
        return _filled(_tensors(path), architecture, path)
    found = _unpickled(path, trust_pickle)
    if isinstance(found, nn.Module):
        told = (f"{path.name} was unpickled, so its code was run",)
        return OwnModel("exported_program", network=found.eval(), told=told)
    return _filled(found, architecture, path)


def put_into_file(model: OwnModel, shape: tuple[int, int, int], target: Path) -> OwnModel:
    """Return the model with its network exported to a file beside `target`: .pt2, or .ts where it is TorchScript.

    Where torch.export cannot follow the network's code, it is traced to TorchScript instead, and the model says so.
    """
    if model.network is None:
        return model
    told, file = model.told, target.with_suffix(".pt2")
    traced = model.kind == "torchscript"
    try:
        if not traced:
            _export(model.network, shape, file)
    except (RuntimeError, ValueError, TypeError, AssertionError, TorchDynamoException) as error:
        traced = True
        told += (f"torch.export cannot follow its code ({first_line(error)}), so it was traced to TorchScript",)
    if traced:
        file = target.with_suffix(".ts")
        _traced(model.network, shape).save(str(file))
    found = open_model(str(file))
    return replace(found, network=model.network, shape=model.shape or found.shape, told=told)


def kept(model: OwnModel, target: Path) -> OwnModel:
    """Return the model with a file that was made for it moved beside `target`, where an equal program stays as it is."""
    if model.network is None or model.file is None:
        return model
    file = target.with_suffix(model.file.suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    if model.kind == "torchscript" or not (file.is_file() and _same(file, model.file)):
        file.write_bytes(model.file.read_bytes())
    return replace(model, network=None, file=file)


def _export(network: nn.Module, shape: tuple[int, int, int], target: Path) -> None:
    images = torch.rand(2, *shape)
    with torch.no_grad():
        network(images)  # what does not fit the images says so here, in its own words
    program = torch.export.export(network, (images,), dynamic_shapes=({0: torch.export.Dim("images", min=1)},))
    torch.export.save(program, target)


def _traced(network: nn.Module, shape: tuple[int, int, int]) -> Any:
    try:
        trace: Callable[..., Any] = torch.jit.trace
        return trace(network, torch.rand(2, *shape))
    except (RuntimeError, ValueError, TypeError) as error:
        raise ValueError(
            f"the model does not take images of {_shape(shape)}: {str(error).strip().splitlines()[-1]}"
        ) from error


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _same(kept: Path, made: Path) -> bool:
    if not is_program(kept):
        return False
    (graph, weights), (other, fresh) = read_program(kept), read_program(made)
    return (
        graph == other and weights.keys() == fresh.keys() and all(np.array_equal(weights[k], fresh[k]) for k in fresh)
    )


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise DamagedFile(f"{path}: not a whole safetensors file ({error})") from error


def _unpickled(path: Path, trust_pickle: bool) -> Any:
    """Return the state dict in a file, read as data; with `trust_pickle` the module or whatever is in it."""
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        if not trust_pickle:
            raise ValueError(
                f"{path} holds more than weights, so opening it means running a pickle: {RISK}. If the file is your own,"
                f" --trust-pickle opens it; better, {EXPORT}"
            ) from error
        sys.path.insert(0, str(Path.cwd()))
        found = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(found, nn.Module):
        return found
    for name in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(name), dict | nn.Module):
            found = found[name]
    if isinstance(found, dict) and found and all(isinstance(value, Tensor) for value in found.values()):
        return found
    if isinstance(found, nn.Module):
        return found
    raise ValueError(f"{path}: holds neither a network nor a state dict; {EXPORT}")


def _filled(weights: dict[str, Tensor], architecture: str | None, path: Path) -> OwnModel:
    if architecture is None:
        raise ValueError(
            f"{path} holds weights alone: --architecture module:function names the function that returns the network"
        )
    return OwnModel("exported_program", network=_with_weights(_function(architecture)(), weights, path))


def _function(name: str) -> Callable[[], nn.Module]:
    """Return the function that "module:function" names, from the folder that we are in or what is installed."""
    module, _, function = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: Callable[[], nn.Module] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"--architecture {name}: {error}; expected module:function, seen from {Path.cwd()}") from error
    finally:
        sys.path.pop(0)
    return found


def _with_weights(network: nn.Module, weights: dict[str, Tensor], path: Path) -> nn.Module:
    for prefix in ("module.", "model."):  # what DataParallel and wrapped networks put before every name
        if all(name.startswith(prefix) for name in weights) and prefix.rstrip(".") not in dict(
            network.named_children()
        ):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        told = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise ValueError(f"{path}: the weights do not fit the network: {told}") from error
    return network.eval()


def _named(name: str, weights: str | None) -> OwnModel:
    """Return a network of torchvision or timm with its weights."""
    from torchvision import models

    known = models.list_models(module=models)
    if name in known:
        return _of_torchvision(name, weights)
    if importlib.util.find_spec("timm") is not None:
        timm: Any = importlib.import_module("timm")
        if name in timm.list_models():
            state = None if weights is None else _state(weights)
            network = timm.create_model(name, pretrained=state is None, **_heads(state))
            if state is not None:
                _with_weights(network, state, Path(str(weights)))
            return OwnModel("exported_program", network=network.eval())
    raise ValueError(f"{name} is no file here and no network of torchvision.{nearest(name, known)}")


def _state(weights: str) -> dict[str, Tensor]:
    path = Path(weights).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {weights}")
    found = _tensors(path) if path.suffix == ".safetensors" else _unpickled(path, False)
    return dict(found)


def _heads(state: dict[str, Tensor] | None) -> dict[str, int]:
    """Return how many classes the last weights of a state dict are for."""
    return {} if not state else {"num_classes": len(list(state.values())[-1])}


def _of_torchvision(name: str, weights: str | None) -> OwnModel:
    from torchvision import models

    if weights is None:
        published = models.get_model_weights(name).DEFAULT
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(published.url).name
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            digest = file.stem.rpartition("-")[2]
            try:
                torch.hub.download_url_to_file(published.url, str(file), hash_prefix=digest, progress=False)
            except OSError as error:
                raise ValueError(
                    f"{name}: its published weights cannot be had ({error}); put {published.url} into a file and give it"
                    f" as --weights FILE, or your own weights"
                ) from error
        weights = str(file)
    state = _state(weights)
    network = models.get_model(name, weights=None, **_heads(state))
    return OwnModel("exported_program", network=_with_weights(network, state, Path(weights)))
