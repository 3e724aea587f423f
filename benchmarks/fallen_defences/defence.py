"""What a rebuild is: a paper that fell, its defence, the evaluation that made it look robust, the attack that felled it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

REJECTED = 0.05  # of clean images, by a defence that may reject
GAP, HALF = 0.3, 0.5  # that the weak evaluation must show, and the share of it that the felling attack may leave


@dataclass(frozen=True)
class Paper:
    """A published defence and the paper that felled it.

    Attributes:
        mechanism: why weak attacks fail, one of the nine kinds.
        defence: authors, year and where it appeared.
        felled: the same of the paper that broke it.
        deviates: in what the rebuild differs from the paper.
        eps: the L-inf radius of all attacks.
    """

    mechanism: str
    defence: str
    felled: str
    deviates: str
    eps: float = 0.1


@dataclass(frozen=True)
class Defence:
    """A defence, as it is deployed.

    Attributes:
        model: images in [0, 1] to logits (N, K).
        weak: the published evaluation: (network, images, labels, eps) to attacked images. The same attack on a plain
            network is what it is compared with.
        felling: the attack that felled it: (images, labels, eps) to attacked images.
        seen: the network that the published evaluation differentiates, if it is not the model.
        score: of a detector; a higher score is more anomalous. None: nothing is rejected.
        threshold: the score above which an image is rejected.
        drawn: the model draws random numbers.
        share: only every so many test images are attacked, because a pass is so dear.
    """

    model: nn.Module
    weak: Callable[[nn.Module, Tensor, Tensor, float], Tensor]
    felling: Callable[[Tensor, Tensor, float], Tensor]
    seen: nn.Module | None = None
    score: Callable[[Tensor], Tensor] | None = None
    threshold: float = torch.inf
    drawn: bool = False
    share: int = 1

    def right(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return which images are classified correctly or rejected, (N,) bool."""
        with torch.no_grad():
            right = self.model(images).argmax(1) == labels
            return right if self.score is None else right | (self.score(images) > self.threshold)


class Hidden(nn.Module):
    """A part of a defence that hides the gradient, with the differentiable stand-in of the attack that felled it.

    References:
        Athalye et al. 2018 (1802.00420), section 4.1: backward pass differentiable approximation (BPDA).
    """

    shown = False

    def hard(self, values: Tensor) -> Tensor:
        """Return what the part returns."""
        raise NotImplementedError

    def soft(self, values: Tensor) -> Tensor:
        """Return the stand-in, whose gradient an attacker follows: the identity if a part does not say otherwise."""
        return values

    def forward(self, values: Tensor) -> Tensor:
        """Return hard(values), with the gradient of soft(values) inside of `stand_ins`."""
        if not self.shown:
            return self.hard(values)
        soft = self.soft(values)
        with torch.no_grad():
            exact = self.hard(values)
        return exact + (soft - soft.detach())


@contextmanager
def stand_ins(*models: nn.Module) -> Iterator[None]:
    """Let gradients pass the hidden parts of models by their stand-ins, for a block."""
    parts = [part for model in models for part in model.modules() if isinstance(part, Hidden)]
    for part in parts:
        part.shown = True
    try:
        yield
    finally:
        for part in parts:
            part.shown = False
