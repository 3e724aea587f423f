"""Any form of model as a guarded module: it gets a copy of its images, and returns logits (N, K) or is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from touchstone.api.torch_state import State
from touchstone.contracts import Model
from touchstone.numerics.tensors import frozen


class Closed(nn.Module):
    """A model whose layers cannot be reached, as a module: a function, a program of torch.export or TorchScript.

    A program of torch.export has only the mode in which it was exported, but it reports train mode, and its `eval()` raises
    an error. So only TorchScript becomes a submodule, whose mode is switched.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.training = isinstance(model, torch.jit.ScriptModule) and model.training
        self.model = model if isinstance(model, torch.jit.ScriptModule) else (lambda images: model(images))

    def forward(self, images: Tensor) -> Tensor:
        """Return what the model returns."""
        logits: Tensor = self.model(images)
        return logits


def as_module(name: str, model: object) -> nn.Module:
    """Return a model as a module, itself if its layers can be reached.

    Args:
        name: of the argument, for the message.
        model: a network, a program, or a function from images to logits.

    Raises:
        TypeError: If it is no model, such as the name of a file.
        ValueError: If it was built in `torch.inference_mode()`, so that gradients cannot pass it.
    """
    if not callable(model) or isinstance(model, type):
        got, how = type(model).__name__, "torch.export.load(file).module() opens a .pt2 file"
        if isinstance(model, Mapping):
            how = "load_state_dict puts weights into a network"
        if isinstance(model, type):
            got, how = f"the class {model.__name__}", f"{model.__name__}(...) builds a network"
        raise TypeError(f"{name}: expected a network, or a function from images to logits, got {got}: {how}")
    if not isinstance(model, nn.Module) or isinstance(model, torch.jit.ScriptModule):
        return Closed(model)
    if any(values.is_inference() for values in (*model.parameters(), *model.buffers())):
        raise ValueError(f"{name}: it was built in torch.inference_mode(), so it has no gradients: build it outside")
    try:
        with frozen(model):
            return model
    except NotImplementedError:
        return Closed(model)


def with_layers(name: str, model: object, reads: str) -> nn.Module:
    """Return the network whose layers are read: that inside a model that runs it on several devices, else the model.

    Args:
        name: of the reader, such as detectors/knn.
        model: a network.
        reads: what it reads.

    Raises:
        TypeError: If it is no network, or one whose layers cannot be reached.
    """
    network = as_module("model", model)
    if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner: nn.Module = network.module
        return inner
    if isinstance(network, Closed):
        raise TypeError(
            f"{name}: it reads {reads} inside the network, and a function, a program of torch.export or TorchScript shows"
            " none: give the nn.Module"
        )
    return network


def leaves_torch(error: RuntimeError) -> bool:
    """Return whether torch refused to make an array of a tensor that gradients pass, as in `images.numpy()`."""
    return "numpy() on Tensor that requires grad" in str(error)


class Guard:
    """What a model passes at each call: a copy of its images, its caller's state of torch, and a check of its logits.

    Args:
        name: of the model, for messages.
        caller: torch's state for the calls.

    Attributes:
        refusal: the error that the last wrong output has raised.
    """

    def __init__(self, name: str, caller: State) -> None:
        self.name, self.caller = name, caller
        self.refusal: Exception | None = None
        self.entered: list[ExitStack] = []

    @contextmanager
    def around(self, model: nn.Module) -> Iterator[None]:
        """Guard a model for a block. Hooks leave it the same object, with the same layers and names."""
        with ExitStack() as hooks:
            if self.caller != State():
                hooks.callback(model.register_forward_pre_hook(self._enter, prepend=True).remove)
                hooks.callback(model.register_forward_hook(self._leave, always_call=True).remove)
            hooks.callback(model.register_forward_pre_hook(self._copy, prepend=True).remove)
            hooks.callback(model.register_forward_hook(self._check).remove)
            yield

    def _enter(self, model: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        self.entered.append(ExitStack())
        self.entered[-1].enter_context(self.caller.entered())

    def _leave(self, model: nn.Module, arguments: tuple[Tensor, ...], logits: object) -> None:
        self.entered.pop().close()

    def _copy(self, model: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (arguments[0].clone(), *arguments[1:])

    def _check(self, model: nn.Module, arguments: tuple[Tensor, ...], logits: Any) -> Tensor:
        try:
            check_logits(self.name, logits, arguments[0])
        except (TypeError, ValueError) as error:
            self.refusal = error
            raise
        # A copy: a model may write its next logits into the same tensor. Half precision is too coarse for scores.
        copied: Tensor = logits.to(torch.promote_types(logits.dtype, torch.float32), copy=True)
        return copied


def check_logits(name: str, logits: Any, images: Tensor) -> None:
    """Check that a model has returned one row of logits for each image.

    Args:
        name: of the model, for the message.
        logits: what it has returned.
        images: what it was given.

    Raises:
        TypeError: If that is no tensor.
        ValueError: If it is not (N, K) for N images and at least two classes, or if it holds no floats.
    """
    if not isinstance(logits, Tensor):
        raise TypeError(
            f"{name} returns a {type(logits).__name__}, expected logits (N, K), a tensor: {logits_only(logits)}"
        )
    count, shape = len(images), tuple(logits.shape)
    if logits.dim() != 2 or shape[0] != count or shape[1] < 2:
        raise ValueError(
            f"{name} returns shape {shape} for {count} image{'s' * (count != 1)}, expected logits (N, K) of at least two"
            f" classes: {_reshaped(shape, count)}"
        )
    if not logits.is_floating_point():
        raise ValueError(
            f"{name} returns {logits.dtype}, expected logits in floats: return them before argmax or rounding"
        )
    if logits.device != images.device:
        raise ValueError(
            f"{name} returns logits on {logits.device} for images on {images.device}: {moved(logits.device)}"
        )


def moved(device: torch.device) -> str:
    """Return the advice to move images to a device."""
    return f'move images and labels there, images.to("{device}")'


def logits_only(output: object) -> str:
    """Return how to get logits from an output that is no tensor."""
    if isinstance(output, tuple | list) and any(isinstance(item, Tensor) for item in output):
        only = "let it return only the logits, such as model(images)[0]"
        rejecting = "if the second says what it rejects, touchstone.evaluate_defence takes the pair; otherwise "
        return f"{rejecting}{only}" if len(output) == 2 else only
    if isinstance(output, Mapping) and output:
        return f"let it return only the logits, such as model(images)[{next(iter(output))!r}]"
    if hasattr(output, "logits"):
        return "let it return only the logits, model(images).logits"
    if hasattr(output, "__array__"):
        return "compute them in torch, because attacks follow their gradient"
    return "let it return the logits"


def _reshaped(shape: tuple[int, ...], count: int) -> str:
    """Return how to get logits from an output of another shape."""
    if shape == (count, 1) or (len(shape) == 1 and shape[0] == count):
        return "for one output z before its sigmoid, return torch.cat([-z, z], 1) of z with shape (N, 1)"
    if len(shape) == 2 and shape[1] == count:
        return "return one row for each image, as logits.T has"
    if len(shape) == 1 and count == 1:
        return "keep the dimension of the images, by flatten(1) in place of squeeze()"
    if len(shape) == 4 and shape[0] == count:
        return "return one row for each image, such as logits.mean((2, 3))"
    return "return one row for each image"
