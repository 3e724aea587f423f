"""Goals of attacks: raise the true class's loss, or lower a target's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import (
    LossOfLogits,
    cross_entropy,
    dlr_loss,
    keep_higher,
    margin_loss,
    targeted_dlr_loss,
)
from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams

Target = Literal["none", "least_likely", "next", "each", "random"]
LOSSES: dict[str, LossOfLogits] = {"cross_entropy": cross_entropy, "margin": margin_loss, "dlr": dlr_loss}


@dataclass(frozen=True)
class Goal:
    """A value per row of logits that an attack raises.

    It is loss(logits, labels), or -loss(logits, targets) if there are targets. The DLR loss has its own targeted form.

    Attributes:
        labels: (N,) int64, the true classes.
        loss: of logits and classes, per row.
        targets: (N,) int64, the classes to reach; None for an untargeted attack.
        kept_by: of logits and labels, per row: the value by which the best of the visited points is chosen; None means the
            goal itself. With three classes or more, a point of higher cross-entropy may be right where one of lower
            cross-entropy is wrong, so attacks that look for wrong points choose by the margin loss.
    """

    labels: Tensor
    loss: LossOfLogits = cross_entropy
    targets: Tensor | None = None
    kept_by: LossOfLogits | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        """Return the value of each row, (N,); higher is better for the attacker."""
        if self.targets is None:
            return self.loss(logits, self.labels)
        if self.loss is dlr_loss:
            return targeted_dlr_loss(logits, self.labels, self.targets)
        return -self.loss(logits, self.targets)

    def value(self, logits: Tensor, climbed: Tensor | None = None) -> Tensor:
        """Return the value by which points are kept, (N,).

        Args:
            logits: (N, K).
            climbed: (N,), the value of the goal itself, if it is known.
        """
        if self.kept_by is not None:
            return self.kept_by(logits, self.labels)
        return self(logits) if climbed is None else climbed

    def reached(self, logits: Tensor) -> Tensor:
        """Return whether the prediction differs from the label, (N,) bool.

        Robust accuracy counts this for targeted attacks too.
        """
        return logits.argmax(1) != self.labels

    def take(self, rows: Tensor) -> Goal:
        """Return the goal of some rows."""
        return replace(self, labels=self.labels[rows], targets=None if self.targets is None else self.targets[rows])


def least_likely(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the class with the lowest logit among the wrong ones, (N,) int64."""
    return logits.scatter(1, labels[:, None], torch.inf).argmin(1)


def goals(target: Target, loss: LossOfLogits, logits: Tensor, labels: Tensor, generator: RandomStreams) -> list[Goal]:
    """Return the goals to run one after the other.

    Args:
        target: "none"; "least_likely", by the logits; "next", the label + 1 modulo K; "each" wrong class in turn; or
            "random", drawn once. A target is never the label.
        loss: of logits and classes, per row.
        logits: (N, K), those of the clean images.
        labels: (N,) int64, the true classes.
        generator: random streams of the images.

    Returns:
        K - 1 goals for "each", otherwise one. Points are kept by the margin loss, or with a single target by the goal.
    """
    classes = logits.shape[1]
    if target == "none":
        return [Goal(labels, loss, kept_by=margin_loss)]
    if target == "least_likely":
        return [Goal(labels, loss, least_likely(logits, labels))]
    if target == "next":
        shifts = [torch.ones_like(labels)]
    elif target == "random":
        shifts = [1 + generator.integers(classes - 1)]
    else:
        shifts = [torch.full_like(labels, shift) for shift in range(1, classes)]
        return [Goal(labels, loss, (labels + shift) % classes, kept_by=margin_loss) for shift in shifts]
    return [Goal(labels, loss, (labels + shift) % classes) for shift in shifts]


def strongest(model: Model, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return, per row, the candidate with the highest margin loss, (N, C, H, W).

    The first one wins a tie. A single candidate is returned without a forward pass. Cross-entropy would not do: with
    three classes or more, a candidate that fools the model can have the lower cross-entropy.
    """
    remaining = iter(candidates)
    best = next(remaining)
    best_loss: Tensor | None = None
    for candidate in remaining:
        with torch.no_grad():
            best_loss = margin_loss(model(best), labels) if best_loss is None else best_loss
            best, best_loss = keep_higher(best, best_loss, candidate, margin_loss(model(candidate), labels))
    return best
