"""A network built by code and filled with weights: of torchvision, of timm, or by a function of the user's."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import io
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from touchstone.assay.matching_weights import chosen
from touchstone.assay.weight_files import read_weights
from touchstone.messages import first_line, nearest

MOST_CLASSES = 100_000  # that the weights of a file may be for
EARLIER_NAMES = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")  # in published weights of DenseNets


EXPECTED = "expected a function that needs no argument and returns a torch.nn.Module"


class Filled(NamedTuple):
    """A network with its weights, in eval mode, and notes on weights of its file that were not read."""

    network: nn.Module
    notes: tuple[str, ...] = ()


def filled(
    architecture: str | None, states: dict[str, dict[str, Tensor]], path: Path, key: str | None = None
) -> Filled:
    """Return the user's network with the weights of a file.

    Args:
        architecture: "module:function"; the function returns the network.
        states: the weights in the file, by what they are stored under.
        path: of the file, for messages.
        key: what the network's weights are stored under; None: the only ones that fit it.

    Raises:
        ValueError: there is no architecture, it returns no network, or the weights do not fit it.
    """
    if architecture is None:
        raise ValueError(
            f"{path} holds only weights: --architecture module:function names the function that returns the network"
        )
    network = _built_by(architecture, "--architecture ")
    if not isinstance(network, nn.Module):
        raise ValueError(f"--architecture {architecture}: returns a {type(network).__name__}; {EXPECTED}")
    return _with_weights(network.cpu(), states, path, key)


def published(name: str, weights: str | None, key: str | None = None) -> Filled:
    """Return a network of torchvision or timm with its weights.

    Args:
        name: of the network.
        weights: a file; without one, the published weights are downloaded.
        key: what the network's weights are stored under in the file; None: the only ones that fit it.
    """
    from torchvision import models

    torchvision_names = models.list_models(module=models)
    if name in torchvision_names:
        file = _download(name) if weights is None else Path(weights)
        states = {
            under: {EARLIER_NAMES.sub(r"\1\2", name): value for name, value in state.items()}
            for under, state in _states(file).items()
        }
        settings = _published_settings(name) if weights is None else {}
        return _built(partial(models.get_model, name, weights=None, **settings), states, file, key)
    if importlib.util.find_spec("timm") is not None:
        timm: Any = importlib.import_module("timm")
        if name in timm.list_models():
            if weights is None:
                pretrained: nn.Module = timm.create_model(name, pretrained=True).eval()
                return Filled(pretrained)
            states = _states(Path(weights))
            return _built(partial(timm.create_model, name, pretrained=False), states, Path(weights), key)
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


def built_or_itself(named: str) -> object:
    """Return what the function builds that "module:function" names, or what it names if that takes images itself.

    Raises:
        ValueError: there is no such function, or its code fails; the message has the error's own first line.
    """
    return _built_by(named, or_itself=True)


def _takes_images(named: object) -> bool:
    """Return whether a function needs an argument, so that it builds nothing; a network takes images, too."""
    if isinstance(named, type) or not callable(named):
        return False
    parameters = inspect.signature(named).parameters.values()
    return isinstance(named, nn.Module) or any(
        parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        for parameter in parameters
    )


def _built_by(architecture: str, option: str = "", or_itself: bool = False) -> object:
    """Return what the function returns that "module:function" names, in the current folder or an installed package.

    The current folder stays the last place to import from, because a network may import more when it runs.

    Args:
        architecture: "module:function".
        option: that it was typed after, for messages.
        or_itself: return the function uncalled if it needs an argument.

    Raises:
        ValueError: there is no such function, or its code fails; the message has the error's own first line.
    """
    module, _, function = architecture.partition(":")
    dotted = module.removeprefix("./").removesuffix(".py").strip("/").replace("/", ".")
    here, said = str(Path.cwd()), io.StringIO()
    sys.path.insert(0, here)
    try:
        if module != dotted:
            raise ValueError("that is a path")
        with contextlib.redirect_stderr(said):  # argparse prints its usage before it exits
            build: Callable[[], object] = getattr(importlib.import_module(module), function)
            return build if or_itself and _takes_images(build) else build()
    except SystemExit as error:
        last = (said.getvalue().strip().splitlines() or [f"exit code {error.code}"])[-1]
        raise ValueError(
            f"{option}{architecture}: its code ends the program ({last}). Does it parse a command line when it is"
            ' imported? Move that under if __name__ == "__main__"'
        ) from error
    except Exception as error:  # the user's code may raise anything
        raise ValueError(f"{option}{architecture}: {_reason(architecture, dotted, error)}") from error
    finally:
        sys.path.remove(here)
        sys.path.append(here)


def _reason(architecture: str, dotted: str, error: Exception) -> str:
    """Return why the user's function returned no network, and what to do."""
    module, _, function = architecture.partition(":")
    if (
        module != dotted
        or (isinstance(error, ImportError) and error.name == module)
        or not hasattr(sys.modules.get(module), function)
    ):
        meant = f" Did you mean {dotted}:{function}?" if module != dotted else nearest(function, _names(module))
        return f"{first_line(error)}; expected module:function, seen from {Path.cwd()}.{meant}"
    if isinstance(error, TypeError):
        return f"{first_line(error)}; {EXPECTED}"
    return gpu_advice(error) or f"its code raises {type(error).__name__}: {first_line(error)}"


def gpu_advice(error: Exception) -> str:
    """Return what is wrong and what to do if code failed because it moves tensors to a GPU; "" for another error."""
    if not any(word in str(error) for word in ("NVIDIA", "CUDA", "cuda")):
        return ""
    return (
        f"its code moves tensors to a GPU, and is opened on the CPU ({first_line(error).split('. ')[0].rstrip('.')}). Remove"
        ' .cuda() and .to("cuda"), or follow the images: .to(images.device)'
    )


def _names(module: str) -> list[str]:
    """Return the names in a module; none if it was not imported."""
    return [name for name in vars(sys.modules.get(module, object)) if not name.startswith("_")]


def _with_weights(network: nn.Module, states: dict[str, dict[str, Tensor]], path: Path, key: str | None) -> Filled:
    weights, notes = chosen(states, network.state_dict(), key, str(path))
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        problems = "; ".join(line.strip() for line in str(error).splitlines()[1:4])
        raise ValueError(f"{path}: the weights do not fit the network: {problems}") from error
    return Filled(network.eval(), tuple(notes))


def _states(weights: Path) -> dict[str, dict[str, Tensor]]:
    path = weights.expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no weights file {weights}")
    return read_weights(path, is_named=True)


def _built(
    build: Callable[..., nn.Module], states: dict[str, dict[str, Tensor]], file: Path, key: str | None
) -> Filled:
    """Return the network that `build` makes, with these weights and as many classes as they have.

    The last weights of the network are those of the layer that makes the logits. A file need not keep their order.
    """
    network = build()
    head, usual = list(network.state_dict().items())[-1]
    counts = {
        len(value)
        for under, state in states.items()
        for name, value in state.items()
        if f".{under}.{name}".startswith(f".{key}." if key else ".")
        if f".{name}".endswith(f".{head}") and value.dim() and 1 < len(value) <= MOST_CLASSES
    }
    if not counts:
        raise ValueError(f"{file}: there are no weights {head} of a layer that makes the logits")
    if len(counts) == 1 and counts != {len(usual)}:
        network = build(num_classes=counts.pop())
    return _with_weights(network, states, file, key)
