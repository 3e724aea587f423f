"""Attacks of torchattacks and detectors of pytorch-ood, held to what our own promise. Only plugins use this.

`touchstone new attack NAME --from torchattacks.CLASS` writes such a plugin. Neither library is needed by touchstone itself.
"""

from __future__ import annotations

import importlib
import inspect
import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from touchstone.adversary.perturbations import check_inputs
from touchstone.contracts import Model
from touchstone.numerics.tensors import Draws, frozen

PACKAGES = {"torchattacks": "torchattacks", "pytorch_ood": "pytorch-ood"}  # by the name that is imported
KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float"}  # of what a fitted detector may keep besides tensors


def library(name: str, wanted: str) -> Any:
    """Return the module torchattacks or pytorch_ood.detector.

    wanted: its version; another one might compute something else, and no digest would tell. ValueError where it is not
    installed, or in another version.
    """
    package = PACKAGES[name.partition(".")[0]]
    # What it needs is installed already; torchattacks asks for a requests of 2021, for downloads that nobody makes here.
    install = f".venv/bin/pip install --no-deps {package}=={wanted}"
    try:
        found = version(package)
    except PackageNotFoundError:
        raise ValueError(f"{package} is not installed: {install}") from None
    if found != wanted:
        raise ValueError(
            f"this component is of {package} {wanted}, installed is {found}: {install}, or write it anew for {found} with"
            " touchstone new --from"
        )
    return importlib.import_module(name)


class _Asked(nn.Module):
    """A network as torchattacks wants one: a module with a parameter that tells the device, and no other to touch."""

    def __init__(self, model: Model, device: torch.device) -> None:
        super().__init__()
        self.asked = (model,)  # in a tuple, so that its modes and parameters are out of reach
        self.place = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.asked[0](images)
        return logits


@contextmanager
def _only_from(seed: int, device: torch.device) -> Iterator[None]:
    """Let every global random stream start at a seed within the block, and give them their states back after."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)


def attacked(
    name: str, wanted: str, model: Model, images: Tensor, labels: Tensor, generator: Draws, **settings: Any
) -> Tensor:
    """Return what an attack of torchattacks makes of each image, in [0, 1].

    Images are attacked one at a time, each from its own stream, so batches change nothing; that is slower than their
    batches. With `eps` 0 the images come back. ValueError as for `library`, and for images or labels that are none.
    """
    attack = getattr(library("torchattacks", wanted), name)
    with frozen(model):
        classes = check_inputs(model, images, labels)
        if settings.get("eps") == 0:
            return images.detach().clone()
        known = inspect.signature(attack).parameters
        fixed = {"n_classes": classes, "verbose": False}
        settings |= {key: value for key, value in fixed.items() if key in known}
        found = []
        for image, label, seed in zip(images.detach(), labels, generator.integers(2**31).tolist(), strict=True):
            own = settings | ({"seed": seed} if "seed" in known else {})
            with _only_from(seed, images.device), torch.enable_grad():
                made = attack(_Asked(model, images.device), **own)(image[None], label[None])
            found.append(made.detach().to(images.dtype))
    return torch.cat(found) if found else images.detach().clone()


class _Attached(TorchFunctionMode):
    """Passes over `detach`: pytorch-ood cuts features off the network, and what is scored has to be what is attacked."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), settings: dict[str, Any] | None = None
    ) -> Any:
        if function is Tensor.detach:
            return arguments[0]
        return function(*arguments, **(settings or {}))


def _detector(name: str, wanted: str, settings: dict[str, Any]) -> Any:
    return getattr(library("pytorch_ood.detector", wanted), name)(None, **settings)


def fitted(name: str, wanted: str, rows: Tensor, labels: Tensor, **settings: Any) -> dict[str, Tensor]:
    """Return what a detector of pytorch-ood keeps of the rows (N, K) that it is fitted on, as tensors.

    ValueError where it keeps anything else: that could only be stored as a pickle, which nobody should have to open.
    """
    detector = _detector(name, wanted, settings)
    before = dict(vars(detector))
    fit = detector.fit_logits if hasattr(detector, "predict_logits") else detector.fit_features
    with _only_from(0, rows.device):
        fit(rows.detach().double(), labels)
    state = {}
    for key, value in vars(detector).items():
        if isinstance(value, Tensor):
            kind = "float" if value.is_floating_point() else "int"
            state[f"{kind}.{key}"] = value.detach().double().contiguous()
        elif type(value) in KINDS:
            if key not in settings:
                state[f"{KINDS[type(value)]}.{key}"] = torch.tensor([float(value)], dtype=torch.float64)
        elif value is not before.get(key) or not isinstance(value, str | None):
            raise ValueError(
                f"{name} of pytorch-ood keeps its fit in {key}, a {type(value).__name__} and no tensor, which could only be"
                " stored as a pickle"
            )
    return state


def scored(name: str, wanted: str, rows: Tensor, state: dict[str, Tensor] | None = None, **settings: Any) -> Tensor:
    """Return the score of each row (N, K) by a detector of pytorch-ood, (N,), in the rows' dtype; higher is more anomalous.

    Taken in float64. state: of `fitted`, for a detector that is fitted. ValueError as for `library`.
    """
    detector = _detector(name, wanted, settings)
    for key, value in (state or {}).items():
        kind, _, attribute = key.partition(".")
        kept: Any = type(getattr(detector, attribute, None))
        if kept in KINDS:
            setattr(detector, attribute, kept(value.item()))
        else:
            setattr(detector, attribute, value.to(rows.device, torch.float64 if kind == "float" else torch.int64))
    predict = detector.predict_logits if hasattr(detector, "predict_logits") else detector.predict_features
    with _Attached():
        scores: Tensor = predict(rows.double())
    return scores.to(rows.dtype)
