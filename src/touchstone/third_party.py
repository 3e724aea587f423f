"""Attacks of torchattacks and detectors of pytorch-ood as components; used only by plugins.

`touchstone new attack NAME --from torchattacks.CLASS` writes such a plugin. touchstone itself needs neither library.
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
from touchstone.numerics.tensors import RandomStreams, frozen

PACKAGES = {"torchattacks": "torchattacks", "pytorch_ood": "pytorch-ood"}  # by the name that is imported
KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float"}  # what a fitted detector may have besides tensors


def library(name: str, wanted: str) -> Any:
    """Return the module torchattacks or pytorch_ood.detector.

    Args:
        name: of the module.
        wanted: version. Another one might compute something else, and no digest would show it.

    Raises:
        ValueError: If it is not installed, or in another version.
    """
    package = PACKAGES[name.partition(".")[0]]
    # Its dependencies are installed already. torchattacks pins requests of 2021, for downloads that are not used here.
    install = f".venv/bin/pip install --no-deps {package}=={wanted}"
    try:
        installed = version(package)
    except PackageNotFoundError:
        raise ValueError(f"{package} is not installed: {install}") from None
    if installed != wanted:
        raise ValueError(
            f"this component needs {package} {wanted}, but {installed} is installed: {install}, or rewrite it"
            f" for {installed} with touchstone new --from"
        )
    return importlib.import_module(name)


class _Opaque(nn.Module):
    """A model as torchattacks expects it: a module with one parameter that has the device, and no other."""

    def __init__(self, model: Model, device: torch.device) -> None:
        super().__init__()
        self.model = (model,)  # in a tuple, so that its modes and parameters are out of reach
        self.device = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model[0](images)
        return logits


@contextmanager
def _only_from(seed: int, device: torch.device) -> Iterator[None]:
    """Seed every global random stream inside the block, and restore them afterwards."""
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
    name: str, wanted: str, model: Model, images: Tensor, labels: Tensor, generator: RandomStreams, **settings: Any
) -> Tensor:
    """Return the images that an attack of torchattacks produces, in [0, 1].

    Images are attacked one by one, each from its own random stream, so batches change nothing. That is slower than
    its batches. With `eps` 0 the images come back unchanged.

    Args:
        name: class in torchattacks.
        wanted: version of torchattacks.
        model: images to logits.
        images: (N, C, H, W), in [0, 1].
        labels: (N,).
        generator: one stream per image.
        settings: of the class.

    Raises:
        ValueError: As for `library`, and if images or labels do not fit the model.
    """
    attack = getattr(library("torchattacks", wanted), name)
    with frozen(model):
        classes = check_inputs(model, images, labels)
        if settings.get("eps") == 0:
            return images.detach().clone()
        parameters = inspect.signature(attack).parameters
        fixed = {"n_classes": classes, "verbose": False}
        settings |= {key: value for key, value in fixed.items() if key in parameters}
        results = []
        for image, label, seed in zip(images.detach(), labels, generator.integers(2**31).tolist(), strict=True):
            seeded = settings | ({"seed": seed} if "seed" in parameters else {})
            with _only_from(seed, images.device), torch.enable_grad():
                result = attack(_Opaque(model, images.device), **seeded)(image[None], label[None])
            results.append(result.detach().to(images.dtype))
    return torch.cat(results) if results else images.detach().clone()


class _Attached(TorchFunctionMode):
    """Ignores `detach`: pytorch-ood detaches features, but what is scored must be what is attacked."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), settings: dict[str, Any] | None = None
    ) -> Any:
        if function is Tensor.detach:
            return arguments[0]
        return function(*arguments, **(settings or {}))


def _detector(name: str, wanted: str, settings: dict[str, Any]) -> Any:
    return getattr(library("pytorch_ood.detector", wanted), name)(None, **settings)


def fitted(name: str, wanted: str, rows: Tensor, labels: Tensor, **settings: Any) -> dict[str, Tensor]:
    """Return the state of a fitted detector of pytorch-ood, as tensors.

    Args:
        name: class in pytorch_ood.detector.
        wanted: version of pytorch-ood.
        rows: (N, K), to fit on.
        labels: (N,).
        settings: of the class.

    Raises:
        ValueError: If its state has anything but tensors and numbers, which could only be stored as a pickle.
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
                f"{name} of pytorch-ood stores its fit in {key}, a {type(value).__name__} and no tensor, which could only be"
                " saved as a pickle"
            )
    return state


def scored(name: str, wanted: str, rows: Tensor, state: dict[str, Tensor] | None = None, **settings: Any) -> Tensor:
    """Return the score of each row by a detector of pytorch-ood, (N,); higher is more anomalous.

    Computed in float64, returned in the rows' dtype.

    Args:
        name: class in pytorch_ood.detector.
        wanted: version of pytorch-ood.
        rows: (N, K).
        state: of `fitted`, for a fitted detector.
        settings: of the class.

    Raises:
        ValueError: As for `library`.
    """
    detector = _detector(name, wanted, settings)
    for key, value in (state or {}).items():
        kind, _, attribute = key.partition(".")
        number: Any = type(getattr(detector, attribute, None))
        if number in KINDS:
            setattr(detector, attribute, number(value.item()))
        else:
            setattr(detector, attribute, value.to(rows.device, torch.float64 if kind == "float" else torch.int64))
    predict = detector.predict_logits if hasattr(detector, "predict_logits") else detector.predict_features
    with _Attached():
        scores: Tensor = predict(rows.double())
    return scores.to(rows.dtype)
