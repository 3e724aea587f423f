"""The rules for images, labels, scores and numbers that a public call takes; each message says what to write instead."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from touchstone.numerics.tensors import RandomStreams

CHANNELS = (1, 3)  # of pictures
BARELY = 1e-3  # of the pixel range, by which rounding may leave it


def kind_of(value: object) -> str:
    """Return the name of a value's class, with its module unless it is a built-in one."""
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")


def _check_tensor(name: str, value: object, dtype: str) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name}: expected a torch.Tensor, got {kind_of(value)}: torch.as_tensor({name}, dtype={dtype})"
        )
    if value.layout != torch.strided:
        raise ValueError(f"{name} are {value.layout}, expected a dense tensor: {name}.to_dense()")


def check_images(name: str, value: Any, *, any_shape: bool = False, some: bool = True) -> None:
    """Check that images are a tensor (N, C, H, W) of finite floats in [0, 1].

    Args:
        name: of the argument, for the message.
        value: what was passed.
        any_shape: take inputs of other than four dimensions too, with any finite values.
        some: refuse an empty set.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If they break another of these rules.
    """
    _check_tensor(name, value, "torch.float32")
    if not (any_shape and value.dim() not in (0, 4)):
        if value.dtype not in (torch.float32, torch.float64):
            scale = " / 255" if value.dtype == torch.uint8 else ""
            raise ValueError(f"{name} are {value.dtype}, expected floats in [0, 1]: {name}.float(){scale}")
        if value.dim() != 4:
            how = {2: "reshape them", 3: f"{name}[None] is a batch of one, {name}[:, None] has one channel"}
            advice = how.get(value.dim(), "reshape them")
            raise ValueError(f"{name} have shape {tuple(value.shape)}, expected (N, C, H, W): {advice}")
    if some and len(value) == 0:
        raise ValueError(f"no {name}, so nothing can be measured")
    if len(value) and value.numel() == 0:
        raise ValueError(f"{name} have shape {tuple(value.shape)}, so they have no pixels")
    check_finite(name, value)
    if value.dim() != 4 or value.numel() == 0:
        return
    low, high = (float(end) for end in value.aminmax())
    if low < 0 or high > 1:
        advice = f"undo their normalisation, and put it into the model, which then takes {name} in [0, 1]"
        if low >= -BARELY and high <= 1 + BARELY:
            advice = f"{name}.clamp(0, 1)"
        elif low >= 0:
            advice = f"{name} / 255, if white is 255"
        raise ValueError(f"{name} are in [{low:g}, {high:g}], expected [0, 1]: {advice}")


def check_finite(name: str, value: Tensor) -> None:
    """Raise ValueError if a row of a tensor holds NaN or infinity."""
    if (
        len(value)
        and value.is_floating_point()
        and (rows := int((~value.isfinite()).reshape(len(value), -1).any(1).sum()))
    ):
        raise ValueError(
            f"{name} contain NaN or infinity in {rows} of {len(value)} rows: leave these out, or mend them"
        )


def check_labels(name: str, value: Any, images_name: str, images: Tensor, classes: int | None = None) -> None:
    """Check that labels are one int64 class for each image.

    Args:
        name: of the argument, for the message.
        value: what was passed.
        images_name: of the argument that holds the images.
        images: of which they are the labels.
        classes: of the model, numbered from 0; None if it is not known yet.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If they break another of these rules.
    """
    _check_tensor(name, value, "torch.int64")
    count = len(images)
    expected = f"expected int64 ({count},), one class for each of {images_name}"
    found = f"{name} are {value.dtype} {tuple(value.shape)}"
    if value.dim() == 2 and len(value) == count:
        advice = f"{name}.argmax(1) numbers one-hot rows" if value.shape[1] != 1 else f"{name}[:, 0]"
        raise ValueError(f"{found}, {expected}: {advice}")
    if value.dtype != torch.int64:
        if not value.is_complex() and not bool((value == value.long()).all()):
            raise ValueError(f"{found} with fractions, {expected}: pass the classes, not probabilities")
        raise ValueError(f"{name} are {value.dtype}, expected int64: {name}.long()")
    if value.shape != (count,):
        raise ValueError(f"{found}, {expected}")
    if value.device != images.device:
        raise ValueError(
            f"{name} are on {value.device}, and {images_name} on {images.device}: {name}.to({images_name}.device)"
        )
    if classes is None or count == 0:
        return
    low, high = int(value.min()), int(value.max())
    if low < 0 or high >= classes:
        advice = "does it belong to these classes?"
        if low < 0:
            advice = f"leave out images without a class: rows = {name} >= 0; {images_name}[rows], {name}[rows]"
        elif low >= 1 and high == classes:
            advice = f"{name} - 1"
        raise ValueError(
            f"{name} are in [{low}, {high}], the model has {classes} classes, numbered from 0 to {classes - 1}: {advice}"
        )


def check_alike(**images: Tensor | None) -> None:
    """Raise ValueError unless several sets of images have one shape, one dtype and one device; None for a missing set."""
    given = [(name, values) for name, values in images.items() if values is not None]
    (first, model), *others = given
    for name, values in others:
        for kind, own, expected in (
            ("have shape", tuple(values.shape[1:]), tuple(model.shape[1:])),
            ("are", values.dtype, model.dtype),
            ("are on", values.device, model.device),
        ):
            if own != expected:
                raise ValueError(f"each of {name} {kind} {own}, and each of {first} {expected}: make them alike")


def check_rows(name: str, value: Any) -> None:
    """Check that logits, features or gradient norms are a tensor (N, D) of finite floats.

    Raises:
        TypeError: If they are no tensor.
        ValueError: If they break another of these rules.
    """
    _check_tensor(name, value, "torch.float32")
    if not value.is_floating_point() or value.dim() != 2:
        expected = "expected floats (N, D), one row for each image"
        raise ValueError(f"{name} are {value.dtype} {tuple(value.shape)}, {expected}")
    check_finite(name, value)


def check_streams(name: str, value: object, images_name: str, count: int) -> None:
    """Check that a component's generator has one stream for each image.

    Raises:
        TypeError: If it is no `RandomStreams`.
        ValueError: If it has another number of streams.
    """
    line = f'touchstone.RandomStreams(0, "attack", torch.arange({count}))'
    if not isinstance(value, RandomStreams):
        raise TypeError(f"{name}: expected random streams, got {kind_of(value)}: {line}")
    if len(value) != count:
        raise ValueError(f"{name} has {len(value)} streams for {count} {images_name}: {line}")


def scores(name: str, value: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return scores as an array (N,) of numbers, a copy.

    Raises:
        TypeError: If they are no numbers.
        ValueError: If they are not (N,), if there are none, or if one is NaN.
    """
    plain = value.detach().cpu().double().numpy() if isinstance(value, Tensor) else value
    try:
        array = np.array(plain, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: expected numbers (N,), one for each image, got {kind_of(value)}") from error
    if array.ndim != 1:
        advice = f": {name}[:, 0]" if array.ndim == 2 and array.shape[1] == 1 else ""
        raise ValueError(f"{name} have shape {array.shape}, expected (N,), one for each image{advice}")
    if len(array) == 0:
        raise ValueError(f"no {name}, so nothing can be measured")
    if rows := int(np.isnan(array).sum()):
        raise ValueError(f"{name} contain NaN in {rows} of {len(array)} rows: leave these out, or mend the detector")
    return array


def check_whole(least: int, **values: object) -> None:
    """Raise TypeError or ValueError for a value that is no whole number of at least `least`."""
    for name, value in values.items():
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise TypeError(f"{name}: expected a whole number, got {value!r}") from None
        if number < least:
            raise ValueError(f"{name} must be at least {least}, got {number}")


def share(name: str, value: Any, expected: str) -> float:
    """Return a budget or a share as a float, also if it is a fraction or a number of numpy.

    Raises:
        TypeError: If it is no number, such as the text of one.
    """
    text = f"the text {value!r}" if isinstance(value, str) else kind_of(value)
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise TypeError(f"{name}: expected a number such as {expected}, got {text}")
    return float(value)
