"""Surrogate gradients: units that are off pass some of the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

SLOPE = 0.1  # share of the gradient that a unit passes while it is off


@contextmanager
def leaky_gradients(model: nn.Module, slope: float = SLOPE) -> Iterator[None]:
    """Let ReLUs that are off pass `slope` times the gradient back, in the block.

    What the network computes stays the same. If every unit of a layer is off, the gradient of an input is exactly 0, and
    the input looks safe to every attack that follows it: a masked gradient. Only ReLUs that are modules are changed.

    References:
        Athalye et al. 2018; docs/papers/shared.md, "Adaptive attacks".
    """

    below_zero: dict[nn.Module, Tensor] = {}

    def remember(module: nn.Module, arguments: tuple[Tensor, ...]) -> None:  # before a ReLU in place overwrites it
        below_zero[module] = arguments[0] - arguments[0].relu()

    def leak(module: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        off = below_zero.pop(module)
        return output + slope * (off - off.detach())

    handles = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            handles += [module.register_forward_pre_hook(remember), module.register_forward_hook(leak)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
