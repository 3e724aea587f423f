"""The cost of an attack: passes through the network and gradients taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Pipeline


@dataclass
class Effort:
    """Images passed through a network so far.

    Attributes:
        forward: all of them.
        gradient: those with a graph back to them, so that a gradient could be taken.
    """

    forward: int = 0
    gradient: int = 0

    def per_image(self, count: int) -> dict[str, float]:
        """Return the passes per image, named as in the notes of an example set."""
        return {
            "forward_passes": round(self.forward / count, 3),
            "gradient_passes": round(self.gradient / count, 3),
        }


@contextmanager
def counted(model: nn.Module, *more: nn.Module) -> Iterator[Effort]:
    """Count the passes through networks in the block; of a pipeline, those through its classifier, on every path.

    A pass counts as a gradient pass if gradients are enabled and the images require one. Copies that an attack makes of
    a network count too.

    Args:
        model: a network or a pipeline.
        more: networks that are counted with it, such as the one that is differentiated in its place.
    """
    effort = Effort()
    network = model.model if isinstance(model, Pipeline) else model  # an attack on one path never calls the whole

    def count(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        images = arguments[0]
        effort.forward += len(images)
        if torch.is_grad_enabled() and images.requires_grad:
            effort.gradient += len(images)

    handles = [counting.register_forward_pre_hook(count) for counting in (network, *more)]
    try:
        yield effort
    finally:
        for handle in handles:
            handle.remove()
