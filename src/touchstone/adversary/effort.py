"""What an attack costs: how often images went through the network, and how often a gradient was taken of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass
class Effort:
    """Images passed through a network so far: in all, and with a graph back to them, so that a gradient could be taken."""

    forward: int = 0
    gradient: int = 0

    def per_image(self, count: int) -> dict[str, float]:
        """Return the passes per image as an example set's notes hold them."""
        return {
            "forward_passes": round(self.forward / count, 3),
            "gradient_passes": round(self.gradient / count, 3),
        }


@contextmanager
def counted(model: nn.Module) -> Iterator[Effort]:
    """Yield the effort that is spent on a network, or on a pipeline as one, within the block.

    A pass counts as one with a gradient where gradients are on and the images ask for one: attacks freeze parameters.
    Copies that an attack makes of the network count too.
    """
    effort = Effort()

    def count(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        images = arguments[0]
        effort.forward += len(images)
        if torch.is_grad_enabled() and images.requires_grad:
            effort.gradient += len(images)

    handle = model.register_forward_pre_hook(count)
    try:
        yield effort
    finally:
        handle.remove()
