"""The forms in which people hold images and labels, made into the tensors that the rules of `arguments` are for.

Arrays and what a loader yields go to the device and the dtype of the model, because whoever passes them chose neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from touchstone.api.arguments import kind_of
from touchstone.messages import first_line

Images: TypeAlias = Tensor | NDArray[Any] | Dataset[Any] | Iterable[Any]
Labels: TypeAlias = Tensor | NDArray[Any]
BATCH = 256  # images that are read from a data set at once
SINGLE = (Tensor, np.ndarray, list, tuple, str, bytes, Mapping)  # these can be iterated over, and are no loaders
EXPECTED = "expected batches of (images, labels)"


def is_loader(value: object) -> bool:
    """Return whether a value yields batches: a `DataLoader`, a data set, a generator."""
    return isinstance(value, Dataset) or (isinstance(value, Iterable) and not isinstance(value, SINGLE))


def pair(name: str, images: Any, labels: Any, model: object) -> tuple[Any, Any]:
    """Return images and their labels as tensors, if they are arrays or if `images` is a loader of both.

    Args:
        name: of the argument that holds the images; that of the labels is like it.
        images: tensor, array, or loader of batches (images, labels).
        labels: tensor or array; None with a loader.
        model: the arrays go to its device.

    Returns:
        Both; what is of another type is returned as it is, for the rules to refuse.

    Raises:
        TypeError: If a loader yields no batches of images, or an array holds no numbers.
        ValueError: If a loader yields nothing, or no labels although these are not given, or if they are given twice.
    """
    labels_name = name.replace("images", "labels")
    if not is_loader(images):
        return as_images(name, images, model), as_labels(labels_name, labels, model)
    if labels is not None:
        raise ValueError(f"{name} is a loader, and {labels_name} come from it: omit {labels_name}")
    parts = _batches(name, images)
    if any(len(part) < 2 for part in parts):
        raise ValueError(f"{name} is a loader of images without labels; {EXPECTED}")
    found, classes = (_joined(name, [part[place] for part in parts]) for place in (0, 1))
    return _placed(found, model), as_labels(labels_name, classes.cpu().numpy(), model)


def as_images(name: str, value: Any, model: object) -> Any:
    """Return images as a tensor, if they are an array or a loader, whose labels are left out.

    Args:
        name: of the argument, for messages.
        value: tensor, array or loader.
        model: the tensor goes to its device, and gets its dtype, at least float32.

    Returns:
        What is of another type is returned as it is, for the rules to refuse.

    Raises:
        TypeError: If a loader yields no batches of images, or an array holds no numbers.
        ValueError: If a loader yields nothing, or an array holds whole numbers.
    """
    if is_loader(value):
        return _placed(_joined(name, [part[0] for part in _batches(name, value)]), model)
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype.kind in "iub":
        scale = " / 255" if value.dtype == np.uint8 else ""
        raise ValueError(f"{name} are {value.dtype}, expected floats in [0, 1]: {name}.astype('float32'){scale}")
    return _placed(_tensor(name, value), model)


def as_rows(name: str, value: Any, model: object = None) -> Any:
    """Return logits, features or gradient norms as a tensor, if they are an array."""
    return _placed(_tensor(name, value), model) if isinstance(value, np.ndarray) else value


def as_labels(name: str, value: Any, model: object = None) -> Any:
    """Return labels as a tensor, if they are an array; whole numbers of any size become int64."""
    if not isinstance(value, np.ndarray):
        return value
    labels = _tensor(name, value)
    labels = labels.long() if value.dtype.kind in "iu" else labels
    own = _parameter(model)
    return labels if own is None else labels.to(own.device)


def _batches(name: str, loader: Any) -> list[tuple[Any, ...]]:
    """Return what a loader yields: one tuple per batch, which begins with its images."""
    source: Iterable[Any] = DataLoader(loader, BATCH) if isinstance(loader, Dataset) else loader
    batches: list[tuple[Any, ...]] = []
    for batch in source:
        if isinstance(batch, Mapping):
            raise TypeError(
                f"{name} yields dictionaries with {', '.join(map(repr, batch))}, {EXPECTED}: pass a generator,"
                " ((batch['IMAGES'], batch['LABELS']) for batch in loader)"
            )
        parts = tuple(batch) if isinstance(batch, tuple | list) else (batch,)
        if not parts or not all(isinstance(part, Tensor | np.ndarray) for part in parts[:2]):
            kinds = ", ".join(kind_of(part) for part in parts[:2])
            raise TypeError(f"{name} yields {kinds or 'empty batches'}, {EXPECTED}: tensors or arrays")
        batches.append(parts)
    if not batches:
        raise ValueError(f"{name} yields no batches; a generator can be used only once")
    return batches


def _joined(name: str, parts: list[Any]) -> Tensor:
    tensors = [_tensor(name, part) if isinstance(part, np.ndarray) else part for part in parts]
    try:
        return torch.cat(tensors)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"{name} yields batches that do not fit together: {first_line(error)}") from error


def _tensor(name: str, array: NDArray[Any]) -> Tensor:
    try:
        return torch.tensor(np.ascontiguousarray(array), device="cpu")
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected numbers, got an array of {array.dtype}") from error


def _placed(values: Tensor, model: object) -> Tensor:
    """Return values on the device of a model; floats in its dtype if that is float32 or wider, otherwise in float32."""
    own = _parameter(model)
    device = values.device if own is None else own.device
    dtype = torch.float32 if own is None else torch.promote_types(own.dtype, torch.float32)
    return values.to(device, dtype if values.is_floating_point() else values.dtype)


def _parameter(model: object) -> Tensor | None:
    """Return a parameter of a network; None for a function, or a network without one."""
    parameters = model.parameters() if isinstance(model, nn.Module) else iter(())
    return next((values for values in parameters if values.is_floating_point()), None)
