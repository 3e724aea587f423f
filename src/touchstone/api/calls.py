"""What the calls for notebooks share: helpful words about what they were given, and how far they are."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from touchstone.contracts import Model

AFTER, EVERY = 3.0, 0.5  # seconds until a call first says how far it is, and from then on
SAME = 0.01  # of the largest logit: rounding is less, dropout more


def check_tensors(**values: object) -> None:
    """Raise TypeError for a value that is no tensor, ValueError for images or labels of another dtype.

    Args:
        values: by the names of the call's arguments; None was not given.
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
        if name.endswith("images") and not value.is_floating_point():
            scale = " / 255" if value.dtype == torch.uint8 else ""
            raise ValueError(f"{name} are {value.dtype}, expected floats in [0, 1]: {name}.float(){scale}")


def check_steady(model: Model, images: Tensor) -> None:
    """Warn of a model in train mode: of a module that is put into eval mode meanwhile, of a function that cannot be."""
    if isinstance(model, nn.Module) and any(module.training for module in model.modules()):
        _warn("the model is in train mode; it is evaluated in eval mode, and given back in train mode")
        return
    if len(images) == 0:
        return
    with torch.no_grad():
        first, again, beside = model(images[:2]), model(images[:2]), model(images[:4])[:2]
    for logits, when in ((again, "when it is called again"), (beside, "when other images are beside them")):
        if bool((logits - first).abs().max() > SAME * first.abs().max()):
            _warn(
                f"the model answers differently {when}: call .eval() on the network in it. Of a model that draws at"
                " random, robust accuracies are not to be trusted"
            )
            return


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)


@contextmanager
def counted(label: str, total: int, progress: bool | None) -> Iterator[Callable[[], None]]:
    """Yield a function to call after each of `total` steps; what takes long keeps a line on stderr meanwhile.

    Args:
        label: what the line begins with.
        total: how many steps there are.
        progress: whether to; None where stderr is a terminal.
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
