"""Gradients where a network has none: units that are off let a little of the gradient through, values unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn

SLOPE = 0.1  # of the gradient where a unit is off


@contextmanager
def leaky_gradients(model: nn.Module, slope: float = SLOPE) -> Iterator[None]:
    """Within it, ReLUs that are off pass `slope` times the gradient back; what the network computes stays the same.

    An input at which every unit of a layer is off has a gradient of exactly 0 and looks unassailable to whoever follows
    it: a masked gradient (Athalye et al. 2018; papers.md 6.5 items 3 and 5). Only ReLUs that are modules of their own,
    and not in place, are seen.
    """

    def leak(_: nn.Module, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor:
        off = arguments[0].clamp(max=0)
        return output + slope * (off - off.detach())

    handles = [
        module.register_forward_hook(leak)
        for module in model.modules()
        if isinstance(module, nn.ReLU) and not module.inplace
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
