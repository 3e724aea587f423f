"""A network behind a detector: what an attacker who knows both has to get past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from touchstone.readouts import Confounding, read_out

OF_THE_NETWORK = ("logits", "features", "gradient_norms")


@dataclass(frozen=True)
class Guarded:
    """A classifier and a detector with its threshold: inputs whose score is above `threshold` are flagged.

    score: a detector with its settings bound, taking `data` in order; state: its fitted tensors; spread: of its
    calibration scores, the unit in which attacks weigh a score against a loss; label: which confounding label its
    gradient norms are of. Everything is differentiable, so that what is deployed is what is attacked.
    """

    model: nn.Module
    score: Callable[..., Tensor]
    data: tuple[str, ...]
    state: dict[str, Tensor]
    threshold: float
    spread: float
    confounding: Confounding
    label: str | None = None

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and anomaly scores (N,) of `images`, with a graph back to them."""
        wanted = [self._name(name) for name in self.data if name in OF_THE_NETWORK]
        read = read_out(
            self.model, images, self.confounding, names=dict.fromkeys(["logits", *wanted]), differentiable=True
        )
        others: dict[str, object] = {"images": images, "model": self.model, "state": self.state}
        scores = self.score(*(others[name] if name in others else read[self._name(name)] for name in self.data))
        return read["logits"], scores

    def _name(self, name: str) -> str:
        return f"gradient_norms.{self.label}" if name == "gradient_norms" else name
