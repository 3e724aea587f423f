"""What the calls for notebooks share: checks of their arguments, and a line of progress."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from touchstone.contracts import Model
from touchstone.messages import first_line
from touchstone.numerics.tensors import frozen

AFTER, EVERY = 3.0, 0.5  # seconds until the line of progress appears, and between its updates
REPEATS = 20  # calls after which a model that has always returned the same logits is taken as steady
SAME = 0.01  # of the largest logit: rounding changes less, dropout more


def check_tensors(**values: object) -> None:
    """Check that images and labels are tensors of the right dtype, and that images have four dimensions.

    Args:
        values: by the names of the call's arguments; None for one that was not given.

    Raises:
        TypeError: If a value is not a tensor; the message names the conversion.
        ValueError: If images are not floats of 32 or 64 bits or not (N, C, H, W), or if labels are not int64.
    """
    for name, value in values.items():
        if value is None:
            continue
        dtype = "torch.int64" if name.endswith("labels") else "torch.float32"
        if not isinstance(value, Tensor):
            kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
            raise TypeError(f"{name}: expected a torch.Tensor, got {kind}: torch.as_tensor({name}, dtype={dtype})")
        if name.endswith("labels") and value.dtype != torch.int64:
            raise ValueError(f"{name} are {value.dtype}, expected int64: {name}.long()")
        if name.endswith("images") and value.dtype not in (torch.float32, torch.float64):
            scale = " / 255" if value.dtype == torch.uint8 else ""
            raise ValueError(f"{name} are {value.dtype}, expected floats in [0, 1]: {name}.float(){scale}")
        if name.endswith("images") and value.dim() != 4:
            raise ValueError(f"{name} have shape {tuple(value.shape)}, expected (N, C, H, W): reshape them")


def check_some(**values: Tensor | None) -> None:
    """Raise ValueError for an empty set of images; None for one that was not passed."""
    for name, value in values.items():
        if value is not None and len(value) == 0:
            raise ValueError(f"no {name}, so nothing can be measured")


def check_batch_size(batch_size: int) -> None:
    """Raise ValueError for a batch that holds no image."""
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")


def check_eps(eps: object) -> None:
    """Raise TypeError for a budget that is text, as on the command line."""
    if isinstance(eps, str):
        raise TypeError(f"eps: expected a number such as 8 / 255, got the text {eps!r}")


def check_attacks(attacks: Sequence[object]) -> None:
    """Raise TypeError for an attack that cannot be called, such as the name of one."""
    for number, attack in enumerate(attacks):
        if not callable(attack):
            raise TypeError(
                f"attacks[{number}]: expected a function, got {type(attack).__name__}: touchstone.component('attacks/pgd',"
                " eps=8 / 255) returns one"
            )


def without_modes(model: Model) -> Model:
    """Return a program of torch.export as a function, and any other model as it is.

    Such a program has only the mode in which it was exported, but it reports train mode, and its `eval()` raises an error.

    Raises:
        TypeError: If it is no model, such as the name of a file.
    """
    if not callable(model):
        raise TypeError(
            f"model: expected a network, or a function from images to logits, got {type(model).__name__}:"
            " torch.export.load(file).module() opens a .pt2 file"
        )
    try:
        with frozen(model):
            return model
    except NotImplementedError:
        return lambda images: model(images)


def first_logits(model: Model, images: Tensor, count: int = 1) -> Tensor:
    """Return what a model returns for the first images.

    Raises:
        TypeError: If it returns anything but a tensor.
        ValueError: If it cannot take such images.
    """
    try:
        with frozen(model), torch.no_grad():
            logits: object = model(images[:count])
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError) as error:
        kind = f"{' x '.join(map(str, images.shape[1:]))}, {str(images.dtype).removeprefix('torch.')}"
        raise ValueError(f"the model does not take your images ({kind}): {first_line(error)}") from error
    if not isinstance(logits, Tensor):
        raise TypeError(f"the model returns a {type(logits).__name__}, expected logits (N, K): wrap it in a function")
    return logits


def check_logits(model: Model, images: Tensor, backward: Model | None = None) -> None:
    """Check that a model returns one logit for each class, with a gradient: its own, or that of `backward`.

    Raises:
        TypeError: If it returns anything but a tensor.
        ValueError: If it cannot take such images, if it or `backward` returns another shape or one class only, or if there
            is no gradient in the images.
    """
    if len(images) == 0:
        return
    logits = first_logits(model, images)
    if logits.dim() != 2 or logits.shape[1] < 2:
        raise ValueError(
            f"the model returns shape {tuple(logits.shape)}, expected logits (N, K) of at least two classes; if it has one"
            " output z for two classes, return torch.cat([-z, z], 1)"
        )
    if backward is not None and (shape := first_logits(backward, images).shape) != logits.shape:
        raise ValueError(
            f"backward returns shape {tuple(shape)}, and the model {tuple(logits.shape)}: both must return the logits of the"
            " same classes"
        )
    followed = model if backward is None else backward
    with frozen(followed), torch.enable_grad():
        differentiable = followed(images[:1].detach().requires_grad_()).requires_grad
    if not differentiable:
        raise ValueError(
            "the logits have no gradient in the images, and attacks follow it: compute them in torch, or give evaluate() a"
            " differentiable stand-in as backward"
        )


def check_no_nan(logits: Tensor) -> None:
    """Raise ValueError if any of the logits (N, K) is NaN."""
    if nan := int(logits.isnan().any(1).sum()):
        raise ValueError(f"the model returns NaN for {nan} of {len(logits)} images")


def are_probabilities(logits: Tensor) -> bool:
    """Return whether no value is negative and each row sums to 1."""
    return bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() < 1e-3).all())


def check_no_probabilities(model: Model, images: Tensor) -> None:
    """Warn about a model that returns probabilities: if it is sure, attacks on it fail only for that reason."""
    if len(images) and are_probabilities(first_logits(model, images, 8)):
        _warn(
            "the model returns probabilities (each row sums to 1): if it is sure, their gradients are zero, and attacks"
            " fail for that reason only. Return logits: remove the softmax at its end"
        )


def check_mode(model: Model) -> None:
    """Warn about a module in train mode. It is evaluated in eval mode anyway; the network in a function is not."""
    if isinstance(model, nn.Module) and any(module.training for module in model.modules()):
        _warn("the model is in train mode; it is evaluated in eval mode and switched back afterwards")


def check_random(model: Model, images: Tensor) -> None:
    """Warn about a model that always returns the same logits, although `draws` is for one that draws random numbers."""
    some = images[:8]
    with frozen(model), torch.no_grad():
        first = model(some)
        steady = all(torch.equal(model(some), first) for _ in range(REPEATS))
    if steady:
        _warn(
            "the model returns the same logits each time, so draws only costs time: omit it. If dropout is the defence: a"
            " module is evaluated in eval mode, without it, so pass a function that calls the network in train mode"
        )


def check_steady(model: Model, images: Tensor) -> None:
    """Warn about a model that answers differently when it is called again, or with other images in the batch."""
    if len(images) == 0:
        return
    with frozen(model), torch.no_grad():
        first, again, in_batch = model(images[:2]), model(images[:2]), model(images[:4])[:2]
    for logits, when in ((again, "when it is called again"), (in_batch, "when other images are in the batch")):
        if bool((logits - first).abs().max() > SAME * first.abs().max()):
            _warn(
                f"the model answers differently {when}: call .eval() on the network in it. If it draws random numbers"
                " on purpose, evaluate it with draws=20 or more; otherwise do not trust its robust accuracy"
            )
            return


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


@contextmanager
def counted(label: str, total: int, progress: bool | None) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each step, and show progress on stderr while the block takes long.

    Args:
        label: what the line begins with.
        total: number of steps.
        progress: whether to show progress; None: if stderr is a terminal.
    """
    done, start, end = 0, time.monotonic(), threading.Event()

    def step() -> None:
        nonlocal done
        done += 1

    def show() -> None:
        line, wait = "", AFTER
        while not end.wait(wait):
            line, wait = f"{label}: {done} of {total} steps, {time.monotonic() - start:.0f} s", EVERY
            print(f"\r{line}", end="", file=sys.stderr, flush=True)
        if line:
            print(f"\r{' ' * len(line)}\r", end="", file=sys.stderr, flush=True)

    if not (sys.stderr.isatty() if progress is None else progress):
        yield step
        return
    shown = threading.Thread(target=show, name="touchstone progress", daemon=True)
    shown.start()
    try:
        yield step
    finally:
        end.set()
        shown.join()
