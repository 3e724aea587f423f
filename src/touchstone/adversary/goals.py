"""What an attack raises: the loss of the true class, or minus the loss of a class that it aims for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.losses import (
    LossOfLogits,
    cross_entropy,
    dlr_loss,
    keep_higher,
    margin_loss,
    targeted_dlr_loss,
)
from touchstone.contracts import Model
from touchstone.numerics.tensors import Draws

Target = Literal["none", "least_likely", "next", "each", "random"]
LOSSES: dict[str, LossOfLogits] = {"cross_entropy": cross_entropy, "margin": margin_loss, "dlr": dlr_loss}


@dataclass(frozen=True)
class Goal:
    """One value per row of logits to be raised: loss(logits, labels), or -loss(logits, targets) where there are any.

    The DLR loss has a targeted form of its own.
    """

    labels: Tensor
    loss: LossOfLogits = cross_entropy
    targets: Tensor | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the value of each row, (N,)."""
        if self.targets is None:
            return self.loss(logits, self.labels)
        if self.loss is dlr_loss:
            return targeted_dlr_loss(logits, self.labels, self.targets)
        return -self.loss(logits, self.targets)

    def reached(self, logits: Tensor) -> Tensor:
        """Return where the prediction is not the label, (N,) bool: what robust accuracy counts, targeted or not."""
        return logits.argmax(1) != self.labels

    def take(self, rows: Tensor) -> Goal:
        """Return the goal of some rows."""
        return replace(self, labels=self.labels[rows], targets=None if self.targets is None else self.targets[rows])


def least_likely(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the class with the lowest logit that is not the label, (N,)."""
    return logits.scatter(1, labels[:, None], torch.inf).argmin(1)


def goals(target: Target, loss: LossOfLogits, logits: Tensor, labels: Tensor, generator: Draws) -> list[Goal]:
    """Return what to raise, one after the other: one goal, or K-1 for `each`. No target is ever the label.

    logits (N, K) of the clean images choose the least likely class; `next` is label + 1 modulo K; `random` draws once.
    """
    classes = logits.shape[1]
    if target == "none":
        return [Goal(labels, loss)]
    if target == "least_likely":
        return [Goal(labels, loss, least_likely(logits, labels))]
    if target == "next":
        shifts = [torch.ones_like(labels)]
    elif target == "random":
        shifts = [1 + generator.integers(classes - 1)]
    else:
        shifts = [torch.full_like(labels, shift) for shift in range(1, classes)]
    return [Goal(labels, loss, (labels + shift) % classes) for shift in shifts]


def strongest(model: Model, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return per row the candidate with the highest margin loss, the first where they tie; one needs no model.

    Not cross-entropy: with three classes or more, a candidate that fools the model can have the lower one.
    """
    remaining = iter(candidates)
    best = next(remaining)
    best_loss: Tensor | None = None
    for candidate in remaining:
        with torch.no_grad():
            best_loss = margin_loss(model(best), labels) if best_loss is None else best_loss
            best, best_loss = keep_higher(best, best_loss, candidate, margin_loss(model(candidate), labels))
    return best
