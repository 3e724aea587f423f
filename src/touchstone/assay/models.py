"""A model of the user's own, in any of its forms, as what a study can hold: an exported program or TorchScript.

No code in a file is run unless the user says so: programs are read as data, weights and ONNX in a process of their own.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch._dynamo.exc import TorchDynamoException

from touchstone.messages import first_line, nearest
from touchstone.network_files import trust
from touchstone.network_files.confined import confined
from touchstone.network_files.onnx_conversion import check_libraries, open_onnx
from touchstone.network_files.programs import GRAPH, GraphProgram, ScriptProgram, as_bytes, graph_bytes
from touchstone.network_files.pt2_archive import is_program, read_program
from touchstone.network_files.weight_files import EXPORT, EXPORT_LINE, tensors, unpickled
from touchstone.network_files.zip_archives import names
from touchstone.networks.checkpoints import Program
from touchstone.records.encoding import DamagedFile

Kind = Literal["exported_program", "torchscript"]
ONNX_SECONDS = 1800
REHEARSED = (1, 8, 64)  # numbers of images that an assay tries a model on
MOST_CLASSES = 100_000  # that the last weights of a file may be for


@dataclass(frozen=True)
class OwnModel:
    """A program to be put into a study, and what was noticed on the way.

    network: as loaded from outside a program; onnx: a file to be converted; made: the file is ours, made of one of them.
    batch: the only number of images it takes.
    """

    kind: Kind
    file: Path | None = None
    network: nn.Module | None = None
    onnx: Path | None = None
    made: bool = False
    batch: int | None = None
    shape: tuple[int | None, ...] = ()  # (C, H, W) as the program states it
    told: tuple[str, ...] = ()

    def program(self, shape: tuple[int, int, int]) -> Program:
        """Return the program as the study will run it; ValueError where it cannot or must not run for images of a shape."""
        assert self.file is not None, "put a network into a file first"
        if self.kind == "torchscript":
            script = ScriptProgram()
            script.open({GRAPH: as_bytes(self.file.read_bytes())})
            return script
        graph, weights = read_program(self.file)
        found = GraphProgram(self.batch)
        try:
            found.open({**weights, GRAPH: graph_bytes(graph)})
            for count in REHEARSED:
                found.rehearse((count, *shape), torch.device("cpu"))
        except DamagedFile as error:
            raise DamagedFile(f"{self.file.name}: {error}") from error
        except ValueError as error:
            raise ValueError(
                f"{self.file.name}: the model does not take your images, {_shape(shape)} (channels x height x width):"
                f" {error}. --resize HEIGHTxWIDTH, --gray or --rgb change the images"
            ) from error
        return found


def open_model(
    model: str, *, architecture: str | None = None, weights: str | None = None, trust_code: bool = False
) -> OwnModel:
    """Return what `model` names: a file, or a network of torchvision (of timm, where that is installed).

    architecture: "module:function" that returns the network which the weights in the file fit. weights: a file for a
    named network; without, its published weights are downloaded. trust_code: a pickle or TorchScript may run what is in
    it. ValueError says in words what is missing.
    """
    path = Path(model).expanduser()
    if not path.is_file():
        if path.suffix or "/" in model:
            raise FileNotFoundError(f"no model file {model}")
        return _named(model, weights)
    if path.suffix == ".onnx":
        check_libraries(path, EXPORT)
        return OwnModel("exported_program", onnx=path, told=("it was converted from ONNX",))
    if is_program(path):
        return _of_program(path)
    if any("/code/" in name for name in names(path)):
        return _of_script(path, trust_code)
    if path.suffix == ".safetensors":
        return _filled(tensors(path), architecture, path)
    found = unpickled(path, trust_code)
    if isinstance(found, nn.Module):
        told = (f"{path.name} was unpickled, so its code was run",)
        return OwnModel("exported_program", network=found.eval(), told=told)
    return _filled(found, architecture, path)


def _of_program(path: Path) -> OwnModel:
    graph, _ = read_program(path)
    batch, *shape = graph["shape"]
    fixed = f"it was exported for {batch} images at once, so it runs on as many; for any number: {EXPORT_LINE}"
    told = () if batch is None else (fixed,)
    return OwnModel("exported_program", path, batch=batch, shape=tuple(shape), told=told)


def _of_script(path: Path, trust_code: bool) -> OwnModel:
    data = path.read_bytes()
    if trust_code:
        trust.trust(data, path.name)
    if not trust.trusted(data):
        raise ValueError(f"{path}: {trust.refusal(data)}; {EXPORT}")
    return OwnModel("torchscript", path, told=("TorchScript runs its own code, as you trusted it to",))


def put_into_file(model: OwnModel, shape: tuple[int, int, int], target: Path) -> OwnModel:
    """Return the model with its network exported to a file beside `target`: .pt2, or .ts where it is TorchScript.

    Where torch.export cannot follow the network's code, or writes what touchstone does not run, it is traced to
    TorchScript instead, and the model says so.
    """
    told = model.told
    if model.onnx is not None:
        confined(f"{__name__}:convert_onnx", model.onnx, target, seconds=ONNX_SECONDS)
    elif model.network is not None:
        told += _written(model.network, shape, target)
    else:
        return model
    if (file := target.with_suffix(".pt2")).is_file():
        return replace(_of_program(file), network=model.network, made=True, told=told)
    file = target.with_suffix(".ts")  # traced by us from code that has run already
    if model.onnx is not None:
        told += ("torch.export cannot follow what was made of it, so it was traced to TorchScript",)
    return replace(_of_script(file, trust_code=True), network=model.network, made=True, told=told)


def convert_onnx(path: Path, target: Path) -> None:
    """Write an ONNX file beside `target` as what `put_into_file` writes; ValueError where that cannot be."""
    network = open_onnx(path, EXPORT)
    channels, height, width = network.shape
    _written(network, (channels, height, width), target)


def _written(network: nn.Module, shape: tuple[int, int, int], target: Path) -> tuple[str, ...]:
    """Write a network beside `target` as .pt2, or as .ts where it cannot be; return what there is to say about that."""
    file = target.with_suffix(".pt2")
    try:
        _export(network, shape, file)
        read_program(file)
    except (RuntimeError, ValueError, TypeError, AssertionError, TorchDynamoException) as error:
        file.unlink(missing_ok=True)
        _traced(network, shape).save(str(target.with_suffix(".ts")))
        return (f"torch.export cannot follow its code ({first_line(error)}), so it was traced to TorchScript",)
    return ()


def kept(model: OwnModel, target: Path) -> OwnModel:
    """Return the model with a file that was made for it moved beside `target`, where an equal program stays as it is."""
    if not model.made or model.file is None:
        return model
    file = target.with_suffix(model.file.suffix)
    file.parent.mkdir(parents=True, exist_ok=True)
    if model.kind == "torchscript" or not (file.is_file() and _same(file, model.file)):
        file.write_bytes(model.file.read_bytes())
    return replace(model, file=file)


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
    found = tensors(path) if path.suffix == ".safetensors" else unpickled(path, False)
    return dict(found)


def _heads(state: dict[str, Tensor] | None) -> dict[str, int]:
    """Return how many classes the last weights of a state dict are for; ValueError where that cannot be."""
    if not state:
        return {}
    last = list(state.values())[-1]
    if last.dim() == 0 or not 1 < len(last) <= MOST_CLASSES or not last.numel():
        raise ValueError(
            f"the last weights, of shape {tuple(last.shape)}, are not those of a layer that makes the logits"
        )
    return {"num_classes": len(last)}


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
