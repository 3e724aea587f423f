"""The gate that every public call passes: models and tensors are checked here, and what leaves the gate can be trusted.

The rules for tensors are in `arguments`, those for what a model is and returns in `model_guard`, those for attacks of other
libraries in `foreign_attacks`. `touchstone assay` uses the rules for logits.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from touchstone.api import torch_state
from touchstone.api.arguments import CHANNELS, check_images, check_labels
from touchstone.api.model_guard import Guard, as_module, leaves_torch, moved
from touchstone.api.torch_state import State
from touchstone.contracts import Model
from touchstone.messages import first_line
from touchstone.numerics.precision import EPSILON, STEPS
from touchstone.numerics.tensors import frozen

JUDGED = 64  # images, or more, whose logits show what a model returns
REPEATS = 20  # calls after which a model that has always returned the same logits is taken as steady
SAME = 0.01  # of the lead of the largest logit: rounding changes less, dropout more
UNDERFLOW = 104  # exp(-x) is 0 in float32 beyond it
FAULTS = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, IndexError, KeyError, RuntimeError, TypeError),
    ValueError,
)  # that a model or an attack may raise
UNLABELLED = object()  # in place of labels, for calls that take none
PACKAGE = Path(__file__).parents[1]


def first_logits(guard: Guard, model: nn.Module, images: Tensor, advice: str = "") -> Tensor:
    """Return what a guarded model returns for images, without a graph.

    Args:
        guard: of the model.
        model: in eval mode.
        images: (N, C, H, W).
        advice: what to do if the model does not take them.

    Raises:
        TypeError: If it returns no tensor.
        ValueError: If it does not take such images, or returns anything but logits.
    """
    try:
        with torch.no_grad():
            logits: Tensor = model(images)
    except FAULTS as error:
        if error is guard.refusal:
            raise
        kind = f"{' x '.join(map(str, images.shape[1:]))}, {str(images.dtype).removeprefix('torch.')}"
        fault = first_line(error).rstrip(".!:")
        raise ValueError(
            f"{guard.name} does not take your images ({kind}): {fault}{_remedy(model, images, advice)}"
        ) from error
    return logits


def _remedy(model: nn.Module, images: Tensor, advice: str) -> str:
    """Return what may make images fit a model that has refused them."""
    own = next((values for values in model.parameters() if values.is_floating_point()), None)
    if own is not None and own.device != images.device:
        advice = f"the model is on {own.device} and the images on {images.device}: {moved(own.device)}"
    elif own is not None and own.dtype != images.dtype:
        cast = "" if own.dtype.itemsize < 4 else f"images.to({own.dtype}), or "  # images of half precision are refused
        advice = f"the model has {own.dtype}: {cast}model.to({images.dtype})"
    elif images.dim() == 4 and images.shape[3] in CHANNELS and images.shape[1] not in CHANNELS:
        advice = "images.permute(0, 3, 1, 2) puts the channels first"
    elif not advice and not images.is_contiguous():
        advice = "images.contiguous() may help, because these are a view"
    return f". {advice[0].upper()}{advice[1:]}" if advice else ""


def check_finite_logits(name: str, logits: Tensor, images_name: str = "images") -> None:
    """Raise ValueError if any of the logits (N, K) is NaN or infinite."""
    if rows := int((~logits.isfinite()).any(1).sum()):
        raise ValueError(
            f"{name} returns NaN or infinity for {rows} of {len(logits)} {images_name}; look at its weights and at what it"
            " divides by"
        )


def check_proper(name: str, logits: Tensor) -> None:
    """Raise ValueError if logits (N, K) are not finite, or if they are probabilities."""
    check_finite_logits(name, logits)
    check_no_probabilities(name, logits)


def check_no_probabilities(name: str, logits: Tensor) -> None:
    """Raise ValueError if no value is negative and each row sums to 1."""
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() < 1e-3).all()):
        raise ValueError(
            f"{name} returns probabilities (each row sums to 1): if it is sure, their gradients are zero, and attacks"
            " would fail for that reason only. Remove the softmax at its end, so that it returns logits"
        )


def doubtful(logits: Tensor) -> str:
    """Return a remark on logits that are all in [0, 1], as those of a sigmoid; "" for others."""
    if bool((logits >= 0).all()) and bool((logits <= 1).all()):
        return "all outputs are in [0, 1]: if the model ends with a sigmoid, remove it"
    return ""


def saturated(logits: Tensor) -> str:
    """Return a remark on logits (N, K) of which one leads so far that the cross-entropy has no gradient; "" for others."""
    top = logits.topk(2).values
    share = float((top[:, 0] - top[:, 1] > UNDERFLOW).float().mean())
    if not share:
        return ""
    return (
        f"one logit leads by more than {UNDERFLOW} on {share:.0%} of the images: in float32 the cross-entropy has no"
        " gradient there, so fgsm and pgd stand still. The suite follows margins, and pgd does with loss: margin"
    )


def check_followed(model: nn.Module, images: Tensor) -> None:
    """Raise ValueError if the logits of a guarded model have no gradient in the images."""
    try:
        with torch.enable_grad():
            differentiable = model(images[:1].detach().requires_grad_()).requires_grad
    except RuntimeError as error:
        if not leaves_torch(error):
            raise
        differentiable = False
    if not differentiable:
        raise ValueError(
            "the logits have no gradient in the images, and attacks follow it: compute them in torch, or give evaluate() a"
            " differentiable stand-in as backward"
        )


def check_random(model: nn.Module, images: Tensor) -> None:
    """Warn about a model that always returns the same logits, although `draws` is for one that draws random numbers."""
    if not varies(model, images):
        warn(
            "the model returns the same logits each time, so draws only costs time: omit it. If dropout is the defence: a"
            " module is evaluated in eval mode, without it, so pass a function that calls the network in train mode"
        )


def varies(model: Model, images: Tensor) -> bool:
    """Return whether one of several further calls with the same images returns something else."""
    some = images[:8]
    with torch.no_grad():
        first = model(some)
        return not all(torch.equal(model(some), first) for _ in range(REPEATS))


def check_steady(model: Model, images: Tensor) -> tuple[str, ...]:
    """Warn about a model that answers differently when it is called again, or with other images in the batch.

    Returns:
        That it does, in words; nothing of a steady model.
    """
    with torch.no_grad():
        first, again, alone = model(images[:4]), model(images[:4]), model(images[:1])
    in_batch = torch.cat([alone, first[1:]])
    for logits, when in ((again, "when it is called again"), (in_batch, "when other images are in the batch")):
        if differ(first, logits, SAME):
            differs = f"the model answers differently {when}"
            warn(
                f"{differs}: call .eval() on the network in it. If it draws random numbers on purpose, evaluate it with"
                " draws=20 or more. If its logits are mostly rounding, compute them in float64. Otherwise do not trust its"
                " robust accuracy"
            )
            return (differs,)
    return ()


def differ(first: Tensor, second: Tensor, share: float) -> bool:
    """Return whether two answers to the same images differ by more than rounding and by more than a share of the lead.

    The lead is that of the largest logit over the second, in the row that is most certain. Unlike the size of the
    logits, it grows neither with a masked class nor with an offset of all classes.

    Args:
        first: logits (N, K). In another shape, such as scores (N,), the lead is that of the highest over the lowest.
        second: of the same shape.
        share: of the lead.
    """
    if first.dim() == 2 and first.shape[1] > 1:
        top = first.topk(2).values
        lead = (top[:, 0] - top[:, 1]).max()
    else:
        lead = first.max() - first.min()
    same = (second - first).abs() <= share * lead + STEPS * EPSILON * first.abs()
    return not bool(same.all())


def warn(text: str) -> None:
    """Warn at the line that has called touchstone."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and (
        PACKAGE in (path := Path(frame.f_code.co_filename)).parents or path.stem == "contextlib"
    ):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


@dataclass
class Entered:
    """What has passed the gate.

    Attributes:
        model: in eval mode and guarded.
        images: without a graph.
        labels: of the images; zeros if the call takes none.
        logits: of the first images.
        caller: torch's state outside of the gate.
    """

    model: nn.Module
    images: Tensor
    labels: Tensor
    logits: Tensor
    caller: State


@contextmanager
def entered(
    model: object, images: Any, labels: Any = UNLABELLED, *, batch_size: int, full_precision: bool = False
) -> Iterator[Entered]:
    """Check a model and what it is asked about, and guard it for a block.

    Inside, torch has its default state, and the model is in eval mode with frozen parameters.

    Args:
        model: images to logits (N, K).
        images: (N, C, H, W), floats in [0, 1].
        labels: (N,), int64; `UNLABELLED` if the call takes none.
        batch_size: images at a time; it changes nothing.
        full_precision: keep the caller's autocast from the model, whose layers are read.

    Raises:
        TypeError: If one of them is of another type, or if the model returns no tensor.
        ValueError: If images or labels break their rules, if the model does not take them, or if it returns anything but
            finite logits.
    """
    check_images("images", images)
    labelled = labels is not UNLABELLED
    if labelled:
        check_labels("labels", labels, "images", images)
    module = as_module("model", model)
    with torch_state.defaults() as caller, guarded("the model", module, caller, full_precision) as guard:
        images, labels = usable(images), usable(labels) if labelled else torch.zeros(len(images), dtype=torch.int64)
        logits = first_logits(guard, module, images[:1])
        if labelled:
            check_labels("labels", labels, "images", images, logits.shape[1])
        parts = images[: max(batch_size, JUDGED)].split(int(batch_size))
        logits = torch.cat([first_logits(guard, module, part) for part in parts])
        check_proper("the model", logits)
        if remark := doubtful(logits):
            warn(remark)
        yield Entered(module, images, labels, logits, caller)


@contextmanager
def stand_in(door: Entered, backward: object) -> Iterator[nn.Module]:
    """Check and guard the model that attacks differentiate in place of the one that has passed.

    Raises:
        TypeError: If it is no model, or returns no tensor.
        ValueError: If it does not take the images, or returns anything but finite logits of the same classes.
    """
    module = as_module("backward", backward)
    with guarded("backward", module, door.caller) as guard:
        logits = first_logits(guard, module, door.images[:1])
        check_finite_logits("backward", logits)
        own, shape = door.logits[:1].shape, logits.shape
        if shape != own:
            raise ValueError(
                f"backward returns shape {tuple(shape)}, and the model {tuple(own)}: both must return the logits of the same"
                " classes"
            )
        yield module


@contextmanager
def guarded(name: str, model: nn.Module, caller: State, full_precision: bool = False) -> Iterator[Guard]:
    """Put a model into eval mode with frozen parameters, and guard it for a block; warn if it was in train mode.

    Args:
        name: of the model, for messages.
        model: as `as_module` returns it.
        caller: torch's state for its calls.
        full_precision: without the caller's autocast.
    """
    if any(module.training for module in model.modules()):
        warn(f"{name} is in train mode; it is evaluated in eval mode and switched back afterwards")
    guard = Guard(name, replace(caller, autocast=()) if full_precision else caller)
    with frozen(model), guard.around(model):
        yield guard


def usable(values: Tensor) -> Tensor:
    """Return a tensor without its graph, and as a copy if it was made in `torch.inference_mode()`, where gradients end."""
    return values.clone() if values.is_inference() else values.detach()
