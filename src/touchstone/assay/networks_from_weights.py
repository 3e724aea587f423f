"""A network built by code and filled with weights: of torchvision, of timm, or by a function of the user's."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from touchstone.messages import nearest
from touchstone.network_files.weight_files import tensors, unpickled

MOST_CLASSES = 100_000  # that the weights of a file may be for
EARLIER_NAMES = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")  # in published weights of DenseNets
WRAPPERS = ("module.", "model.")  # what DataParallel and wrapped networks put before every name


def filled(architecture: str | None, weights: dict[str, Tensor], path: Path) -> nn.Module:
    """Return the user's network with the weights of a file, in eval mode.

    Args:
        architecture: "module:function"; the function returns the network.
        weights: by parameter name.
        path: of the file, for messages.

    Raises:
        ValueError: there is no architecture, it returns no network, or the weights do not fit it.
    """
    if architecture is None:
        raise ValueError(
            f"{path} holds only weights: --architecture module:function names the function that returns the network"
        )
    expected = "expected a function that needs no argument and returns a torch.nn.Module"
    try:
        network: object = _function(architecture)()
    except TypeError as error:
        raise ValueError(f"--architecture {architecture}: {error}; {expected}") from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"--architecture {architecture}: returns a {type(network).__name__}; {expected}")
    return _with_weights(network, weights, path)


def published(name: str, weights: str | None) -> nn.Module:
    """Return a network of torchvision or timm with its weights, in eval mode.

    weights: a file; without one, the published weights are downloaded.
    """
    from torchvision import models

    torchvision_names = models.list_models(module=models)
    if name in torchvision_names:
        file = _download(name) if weights is None else Path(weights)
        state = {EARLIER_NAMES.sub(r"\1\2", key): value for key, value in _state(file).items()}
        settings = _published_settings(name) if weights is None else {}
        return _built(partial(models.get_model, name, weights=None, **settings), state, file)
    if importlib.util.find_spec("timm") is not None:
        timm: Any = importlib.import_module("timm")
        if name in timm.list_models():
            if weights is None:
                pretrained: nn.Module = timm.create_model(name, pretrained=True).eval()
                return pretrained
            state = _state(Path(weights))
            return _built(partial(timm.create_model, name, pretrained=False), state, Path(weights))
    raise ValueError(f"{name} is no file here and no network of torchvision.{nearest(name, torchvision_names)}")


def _published_settings(name: str) -> dict[str, Any]:
    """Return what torchvision itself sets for its published weights of a network."""
    from torchvision import models

    if name in ("googlenet", "inception_v3"):
        return {"transform_input": True}
    return {"image_size": models.get_model_weights(name).DEFAULT.meta["min_size"][0]} if name.startswith("vit_") else {}


def _download(name: str) -> Path:
    """Return the file of torchvision's published weights, downloaded if it is not in torch's folder yet."""
    from torchvision import models

    url = models.get_model_weights(name).DEFAULT.url
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        digest = file.stem.rpartition("-")[2]
        try:
            torch.hub.download_url_to_file(url, str(file), hash_prefix=digest, progress=False)
        except OSError as error:
            raise ValueError(
                f"{name}: its published weights cannot be downloaded ({error}); download {url} yourself and pass it"
                " as --weights FILE, or pass your own weights"
            ) from error
    return file


def _function(name: str) -> Callable[[], object]:
    """Return the function that "module:function" names, in the current folder or an installed package."""
    module, _, function = name.partition(":")
    dotted = module.removeprefix("./").removesuffix(".py").strip("/").replace("/", ".")
    sys.path.insert(0, str(Path.cwd()))
    try:
        if module != dotted:
            raise ValueError("that is a path")
        network: Callable[[], object] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        meant = f" Did you mean {dotted}:{function}?" if module != dotted else nearest(function, _names(module))
        raise ValueError(
            f"--architecture {name}: {error}; expected module:function, seen from {Path.cwd()}.{meant}"
        ) from error
    finally:
        sys.path.pop(0)
    return network


def _names(module: str) -> list[str]:
    """Return the names in a module; none if it was not imported."""
    return [name for name in vars(sys.modules.get(module, object)) if not name.startswith("_")]


def _with_weights(network: nn.Module, weights: dict[str, Tensor], path: Path) -> nn.Module:
    children = dict(network.named_children())
    for prefix in WRAPPERS:
        if all(name.startswith(prefix) for name in weights) and prefix.rstrip(".") not in children:
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        problems = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise ValueError(f"{path}: the weights do not fit the network: {problems}") from error
    return network.eval()


def _state(weights: Path) -> dict[str, Tensor]:
    path = weights.expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {weights}")
    return dict(tensors(path) if path.suffix == ".safetensors" else unpickled(path, False))


def _built(build: Callable[..., nn.Module], state: dict[str, Tensor], file: Path) -> nn.Module:
    """Return the network that `build` makes, with these weights and as many classes as they have.

    The last weights of the network are those of the layer that makes the logits. A file need not keep their order.
    """
    network = build()
    head, usual = list(network.state_dict().items())[-1]
    heads = [value for name, value in state.items() if name == head or name.endswith(f".{head}")]
    if len(heads) != 1 or heads[0].dim() == 0 or not 1 < len(heads[0]) <= MOST_CLASSES:
        raise ValueError(f"{file}: there are no weights {head} of a layer that makes the logits")
    if len(heads[0]) != len(usual):
        network = build(num_classes=len(heads[0]))
    return _with_weights(network, state, file)
