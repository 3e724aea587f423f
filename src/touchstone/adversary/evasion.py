"""The loop of every attack on a guarded classifier: be misclassified and not be flagged, inside the ball."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from touchstone.adversary.defences import Guarded, smoothed
from touchstone.adversary.losses import LossOfLogits, cross_entropy, margin_loss
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.numerics.tensors import Draws, frozen, per_row, row_norms


@dataclass(frozen=True)
class Observation:
    """What the attacker sees at one point: per row, margin loss, how far above the threshold, and the two gradients."""

    margin: Tensor  # (N,): above 0 exactly where the prediction is wrong
    excess: Tensor  # (N,): score minus threshold, in spreads of the calibration scores; above 0 exactly where flagged
    class_gradient: Tensor  # of the cross-entropy, or of the loss that the attack asked for
    score_gradient: Tensor  # of the score, in the same spreads

    @property
    def wrong(self) -> Tensor:
        """Where the prediction is not the label, (N,) bool."""
        return self.margin > 0

    @property
    def flagged(self) -> Tensor:
        """Where the detector raises its hand, (N,) bool."""
        return self.excess > 0


Direction = Callable[[Observation], Tensor]


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
    loss: LossOfLogits = cross_entropy,
    softplus_beta: float | None = None,
) -> Tensor:
    """Return, per image, the best point met: wrong and unflagged if any was, else wrong and least flagged, else the
    nearest to being wrong.

    Each direction is followed from `restarts` starts, the first of them the image itself. L-inf ball of radius eps.
    loss: of logits and labels, whose gradient leads to a wrong class. softplus_beta: where an image's score has no
    gradient at all, take that of the network with softplus in the place of ReLU.
    """
    surrogate = smoothed(defence, softplus_beta) if softplus_beta is not None and isinstance(defence, Guarded) else None
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)
    with frozen(defence.model):
        best = images
        best_rank = _rank(_observe(defence, images, labels, loss))
        for direction in directions:
            for restart in range(restarts):
                points = images if restart == 0 else ball.random(generator)
                for step in range(steps + 1):
                    observation = _observe(defence, points, labels, loss)
                    if surrogate is not None:
                        observation = _with_surrogate_gradient(observation, surrogate, points, labels, loss)
                    new_rank = _rank(observation)
                    best = torch.where(per_row(new_rank > best_rank, images), points, best)
                    best_rank = torch.maximum(best_rank, new_rank)
                    if step < steps:
                        points = ball.step(points, direction(observation), size)
    return best


def _observe(defence: Defended, points: Tensor, labels: Tensor, loss: LossOfLogits) -> Observation:
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits, scores = defence.read(points)
        (class_gradient,) = torch.autograd.grad(loss(logits, labels).sum(), points, retain_graph=True)
        excess = (scores - defence.threshold) / defence.spread
        (score_gradient,) = torch.autograd.grad(excess.sum(), points, materialize_grads=True, allow_unused=True)
    return Observation(margin_loss(logits.detach(), labels), excess.detach(), class_gradient, score_gradient)


def _with_surrogate_gradient(
    observation: Observation, surrogate: Guarded, points: Tensor, labels: Tensor, loss: LossOfLogits
) -> Observation:
    flat = is_flat(observation.score_gradient)
    if not bool(flat.any()):
        return observation
    gradient = observation.score_gradient.clone()
    gradient[flat] = _observe(surrogate, points[flat], labels[flat], loss).score_gradient
    return replace(observation, score_gradient=gradient)


def is_flat(gradient: Tensor) -> Tensor:
    """Return which rows of a gradient (N, ...) are exactly 0, (N,) bool."""
    return row_norms(gradient, "linf") == 0


def flat_scores(defence: Guarded, images: Tensor) -> Tensor:
    """Return where the score has no gradient in the image, (N,) bool: there it cannot be lowered by following one."""
    with frozen(defence.model):
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        return is_flat(_observe(defence, images, labels, cross_entropy).score_gradient)


def best_of(defence: Guarded, images: Tensor, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return, per image, the best of itself and the points tried, in the order of `evade`; asks for no gradient."""
    best, best_rank = images, rank(*margin_and_excess(defence, images, labels))
    for points in candidates:
        new_rank = rank(*margin_and_excess(defence, points, labels))
        best = torch.where(per_row(new_rank > best_rank, images), points, best)
        best_rank = torch.maximum(best_rank, new_rank)
    return best


def margin_and_excess(defence: Guarded, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return margin loss and excess (as in Seen), (N,) each, as one who can only ask sees them."""
    with torch.no_grad():
        logits, scores = defence.read(points)
        return margin_loss(logits, labels), (scores - defence.threshold) / defence.spread


def _rank(observation: Observation) -> Tensor:
    return rank(observation.margin, observation.excess)


def rank(margin: Tensor, excess: Tensor) -> Tensor:
    """Return what is kept as the best: evading above 1, wrong but flagged in (0, 1), still right at most 0."""
    evading = 1 + torch.sigmoid(margin)
    caught = 1 / (1 + excess.clamp_min(1e-9))
    return torch.where(margin > 0, torch.where(excess > 0, caught, evading), torch.tanh(margin))
