"""The loop of every attack on a guarded classifier: be misclassified and not be flagged, inside the ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from touchstone.losses import cross_entropy, margin_loss
from touchstone.perturbations import Ball
from touchstone.tensors import Draws, frozen, per_row


@dataclass(frozen=True)
class Seen:
    """What the attacker sees at one point: per row, margin loss, how far above the threshold, and the two gradients."""

    margin: Tensor  # (N,): above 0 exactly where the prediction is wrong
    excess: Tensor  # (N,): score minus threshold, in spreads of the calibration scores; above 0 exactly where flagged
    class_gradient: Tensor  # of the cross-entropy
    score_gradient: Tensor  # of the score, in the same spreads

    @property
    def wrong(self) -> Tensor:
        """Where the prediction is not the label, (N,) bool."""
        return self.margin > 0

    @property
    def flagged(self) -> Tensor:
        """Where the detector raises its hand, (N,) bool."""
        return self.excess > 0


Direction = Callable[[Seen], Tensor]


class Defended(Protocol):
    """What is attacked: logits and scores of images, and the score above which it flags. A Guarded is one."""

    @property
    def model(self) -> nn.Module:
        """The network that is held frozen."""
        ...

    @property
    def threshold(self) -> float:
        """The score above which an image is flagged."""
        ...

    @property
    def spread(self) -> float:
        """The unit in which scores are weighed."""
        ...

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and scores (N,), with a graph back to the images."""
        ...


def evade(
    defence: Defended,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    directions: list[Direction],
    *,
    eps: float,
    steps: int,
    step_size: float | None,
    restarts: int,
) -> Tensor:
    """Return, per image, the best point met: wrong and unflagged if any was, else wrong and least flagged, else the
    nearest to being wrong.

    Each direction is followed from `restarts` starts, the first of them the image itself. L-inf ball of radius eps.
    """
    size = 2.5 * eps / steps if step_size is None else step_size
    ball = Ball(images, eps)
    with frozen(defence.model):
        best = images
        best_rank = _rank(_look(defence, images, labels))
        for direction in directions:
            for restart in range(restarts):
                points = images if restart == 0 else ball.random(generator)
                for step in range(steps + 1):
                    seen = _look(defence, points, labels)
                    rank = _rank(seen)
                    best = torch.where(per_row(rank > best_rank, images), points, best)
                    best_rank = torch.maximum(best_rank, rank)
                    if step < steps:
                        points = ball.step(points, direction(seen), size)
    return best


def _look(defence: Defended, points: Tensor, labels: Tensor) -> Seen:
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits, scores = defence.read(points)
        (class_gradient,) = torch.autograd.grad(cross_entropy(logits, labels).sum(), points, retain_graph=True)
        excess = (scores - defence.threshold) / defence.spread
        (score_gradient,) = torch.autograd.grad(excess.sum(), points, materialize_grads=True, allow_unused=True)
    return Seen(margin_loss(logits.detach(), labels), excess.detach(), class_gradient, score_gradient)


def _rank(seen: Seen) -> Tensor:
    """Return what is kept as the best: evading above 1, wrong but flagged in (0, 1), still right at most 0."""
    evading = 1 + torch.sigmoid(seen.margin)
    caught = 1 / (1 + seen.excess.clamp_min(1e-9))
    return torch.where(seen.wrong, torch.where(seen.flagged, caught, evading), torch.tanh(seen.margin))
