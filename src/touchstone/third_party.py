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

PACKAGES = {"torchattacks": "torchattacks", "pytorch_ood": "pytorch-ood"}  # {imported name: package}
KINDS: dict[Any, str] = {bool: "bool", int: "int", float: "float"}  # attributes of a fitted detector besides tensors


def library(name: str, required: str) -> Any:
    """Import torchattacks or pytorch_ood.detector in the required version.

    Args:
        name: The module.
        required: The version. Another version might compute something else, and no digest would show it.

    Raises:
        ValueError: The package is not installed, or in another version.
    """
    package = PACKAGES[name.partition(".")[0]]
    # Its dependencies are already installed. torchattacks pins a version of requests from 2021, for downloads that are
    # not used here.
    install = f".venv/bin/pip install --no-deps {package}=={required}"
    try:
        installed = version(package)
    except PackageNotFoundError:
        raise ValueError(f"{package} is not installed: {install}") from None
    if installed != required:
        raise ValueError(
            f"this component needs {package} {required}, but {installed} is installed: {install}, or recreate the"
            f" component for {installed} with touchstone new --from"
        )
    return importlib.import_module(name)


class _Opaque(nn.Module):
    """A model as torchattacks expects it, with one empty parameter on the right device."""

    def __init__(self, model: Model, device: torch.device) -> None:
        super().__init__()
        self.model = (model,)  # in a tuple, which hides its mode and parameters from torchattacks
        self.device = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model[0](images)
        return logits


@contextmanager
def _only_from(seed: int, device: torch.device) -> Iterator[None]:
    """Seed all global random streams inside the block; restore them afterwards."""
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
    name: str, required: str, model: Model, images: Tensor, labels: Tensor, generator: RandomStreams, **settings: Any
) -> Tensor:
    """Return images attacked by torchattacks, in [0, 1].

    Images are attacked one by one, each with a separate random stream, so results do not depend on batches. This is
    slower than attacking batches. With `eps` 0 the images are returned unchanged.

    Args:
        name: The class in torchattacks.
        required: The version of torchattacks.
        model: Maps images to logits.
        images: (N, C, H, W), in [0, 1].
        labels: (N,).
        generator: One stream per image.
        settings: Settings of the class.

    Raises:
        ValueError: As for `library`, or images or labels do not fit the model.
    """
    attack = getattr(library("torchattacks", required), name)
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
    """Ignore `detach`: pytorch-ood detaches features, but attacks need gradients."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), settings: dict[str, Any] | None = None
    ) -> Any:
        if function is Tensor.detach:
            return arguments[0]
        return function(*arguments, **(settings or {}))


def _detector(name: str, required: str, settings: dict[str, Any]) -> Any:
    return getattr(library("pytorch_ood.detector", required), name)(None, **settings)


def fitted(name: str, required: str, rows: Tensor, labels: Tensor, **settings: Any) -> dict[str, Tensor]:
    """Fit a detector of pytorch-ood; return its state as tensors.

    Args:
        name: The class in pytorch_ood.detector.
        required: The version of pytorch-ood.
        rows: (N, K), the training data.
        labels: (N,).
        settings: Settings of the class.

    Raises:
        ValueError: Its state contains more than tensors and numbers, so it could only be stored as a pickle.
    """
    detector = _detector(name, required, settings)
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
                f"{name} of pytorch-ood stores its fit in {key}, a {type(value).__name__} and not a tensor, which could"
                " only be saved as a pickle"
            )
    return state


def scored(name: str, required: str, rows: Tensor, state: dict[str, Tensor] | None = None, **settings: Any) -> Tensor:
    """Return a pytorch-ood detector's score of each row, (N,); higher is more anomalous.

    Scores are computed in float64 and returned in the rows' dtype.

    Args:
        name: The class in pytorch_ood.detector.
        required: The version of pytorch-ood.
        rows: (N, K).
        state: The state from `fitted`, for a fitted detector.
        settings: Settings of the class.

    Raises:
        ValueError: As for `library`.
    """
    detector = _detector(name, required, settings)
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
