"""A network behind a detector: what an attacker who knows both has to get past."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from touchstone.readouts import Confounding, read_out

OF_THE_NETWORK = ("logits", "features", "gradient_norms")


@dataclass(frozen=True)
class Guarded:
    """A classifier and a detector with its threshold: inputs whose score is above `threshold` are flagged.

    score: a detector with its settings bound, taking `data` in order; state: its fitted tensors; spread: of its
    calibration scores, the unit in which attacks weigh a score against a loss; label: which confounding label its
    gradient norms are of. Everything is differentiable, so that what is deployed is what is attacked.
    typical: what the detector reads of clean images, per class, for attacks that imitate it (see `typical_of`).
    """

    model: nn.Module
    score: Callable[..., Tensor]
    data: tuple[str, ...]
    state: dict[str, Tensor]
    threshold: float
    spread: float
    confounding: Confounding
    label: str | None = None
    typical: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def read(self, images: Tensor, *, differentiable: bool = True) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and anomaly scores (N,) of `images`, with a graph back to them if `differentiable`."""
        logits, values = self.look(images, differentiable=differentiable)
        others: dict[str, object] = {"images": images, "model": self.model, "state": self.state}
        with torch.set_grad_enabled(differentiable):
            scores = self.score(*(others[name] if name in others else values[name] for name in self.data))
        return logits, scores

    def look(self, images: Tensor, *, differentiable: bool = True) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits (N, K) and what the detector reads of the network, before it makes a score of it."""
        wanted = [self._name(name) for name in self.data if name in OF_THE_NETWORK]
        read = read_out(
            self.model,
            images,
            self.confounding,
            names=dict.fromkeys(["logits", *wanted]),
            differentiable=differentiable,
        )
        return read["logits"], {name: read[self._name(name)] for name in self.data if name in OF_THE_NETWORK}

    def _name(self, name: str) -> str:
        return f"gradient_norms.{self.label}" if name == "gradient_norms" else name


def smoothed(defence: Guarded, beta: float) -> Guarded:
    """Return the defence with softplus(beta) in the place of every ReLU module, to take gradients where ReLU has none.

    ValueError where the network has no such module: ReLU called as a function cannot be replaced.
    """
    model = copy.deepcopy(defence.model)
    relus = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
             if isinstance(child, nn.ReLU)]  # fmt: skip
    if not relus:
        raise ValueError("the network has no ReLU module, so there is none to smooth; leave softplus_beta out")
    for parent, name in relus:
        setattr(parent, name, nn.Softplus(beta=beta))
    return replace(defence, model=model)


def in_scale(name: str, values: Tensor) -> Tensor:
    """Return what a detector reads, (N, D), in the scale in which distances of it mean something."""
    return (values + 1e-12).log() if name == "gradient_norms" else values.flatten(1)


def typical_of(name: str, values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean of clean rows (N, ...) per class, (K, D), and their spread around it, (D,), `in_scale`.

    A class without rows gets the mean of all.
    """
    rows = in_scale(name, values)
    means = torch.stack(
        [rows[labels == label].mean(0) if bool((labels == label).any()) else rows.mean(0) for label in range(classes)]
    )
    return means, (rows - means[labels]).square().mean(0).sqrt().clamp_min(1e-6)
