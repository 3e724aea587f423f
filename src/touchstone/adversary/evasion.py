"""The loop of attacks on a guarded classifier: be wrong and unflagged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from touchstone.adversary.losses import LossOfLogits, cross_entropy, margin_loss
from touchstone.adversary.perturbations import Ball, resolve_step_size
from touchstone.numerics.tensors import RandomStreams, frozen, per_row, row_norms, to_grid_towards


@dataclass(frozen=True)
class Observation:
    """What a white-box attacker observes at one point of each row.

    Attributes:
        margin: (N,), margin loss; above 0 exactly if the prediction is wrong.
        excess: (N,), score minus threshold in units of the detector's spread; above 0 exactly if flagged.
        class_gradient: (N, C, H, W), of the cross-entropy or of the loss that the attack chose.
        score_gradient: (N, C, H, W), of the excess.
    """

    margin: Tensor
    excess: Tensor
    class_gradient: Tensor
    score_gradient: Tensor

    @property
    def wrong(self) -> Tensor:
        """Whether the prediction differs from the label, (N,) bool."""
        return self.margin > 0

    @property
    def flagged(self) -> Tensor:
        """Whether the detector flags the point, (N,) bool."""
        return self.excess > 0


Direction = Callable[[Observation], Tensor]


class Defended(Protocol):
    """What `evade` attacks: a network, scores and a threshold, as `Guarded` has."""

    @property
    def model(self) -> nn.Module:
        """The network to freeze during the attack."""
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
    generator: RandomStreams,
    directions: list[Direction],
    *,
    eps: float,
    steps: int,
    step_size: float | None,
    restarts: int,
    loss: LossOfLogits = cross_entropy,
    surrogate: Defended | None = None,
) -> Tensor:
    """Follow each direction from several starts, and keep the best points.

    The first start is the image itself; the others are uniform points of the L-inf ball. Steps shrink linearly to 0, because
    steps of one length would circle the border between right and wrong, where the best points are. The defence sees the
    points rounded to 8 bits, as they will be stored: a point that is only just wrong is often right again when rounded.

    Args:
        defence: the target.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        directions: each maps an observation to a step direction (N, C, H, W).
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: mean length of a step; None means 2.5 * eps / steps.
        restarts: starts per direction.
        loss: of logits and labels; its gradient leads to a wrong class.
        surrogate: a smoothed copy of the defence; where the score of an image has no gradient, its gradient is used.

    Returns:
        (N, C, H, W) in [0, 1], on the 1/255 grid if the images are: the best point by `rank`.
    """
    size = resolve_step_size(step_size, eps, steps)
    ball = Ball(images, eps)
    with frozen(defence.model):
        best = images
        best_rank = _rank(_observe(defence, images, labels, loss))
        for direction in directions:
            for restart in range(restarts):
                points = images if restart == 0 else ball.random(generator)
                for step in range(steps + 1):
                    stored = as_stored(points, ball)
                    observation = _observe(defence, stored, labels, loss)
                    if surrogate is not None:
                        observation = _with_surrogate_gradient(observation, surrogate, stored, labels, loss)
                    new_rank = _rank(observation)
                    best = torch.where(per_row(new_rank > best_rank, images), stored, best)
                    best_rank = torch.maximum(best_rank, new_rank)
                    if step < steps:
                        points = ball.step(points, direction(observation), 2 * size * (1 - step / steps))
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
    observation: Observation, surrogate: Defended, points: Tensor, labels: Tensor, loss: LossOfLogits
) -> Observation:
    flat = is_flat(observation.score_gradient)
    if not bool(flat.any()):
        return observation
    gradient = observation.score_gradient.clone()
    gradient[flat] = _observe(surrogate, points[flat], labels[flat], loss).score_gradient
    return replace(observation, score_gradient=gradient)


def as_stored(points: Tensor, ball: Ball) -> Tensor:
    """Return points of a ball rounded to 8 bits towards its images, as an attacked set stores them."""
    return ball.project(to_grid_towards(points, ball.images))


def is_flat(gradient: Tensor) -> Tensor:
    """Return which rows of a gradient (N, ...) are exactly 0, (N,) bool."""
    return row_norms(gradient, "linf") == 0


def flat_scores(defence: Defended, images: Tensor) -> Tensor:
    """Return which images have no score gradient at all, (N,) bool.

    Following the gradient cannot lower the score there.
    """
    with frozen(defence.model):
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        return is_flat(_observe(defence, images, labels, cross_entropy).score_gradient)


def best_of(defence: Defended, images: Tensor, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return the best of each image and its candidates by `rank`, (N, C, H, W).

    Uses forward passes only.
    """
    best, best_rank = images, rank(*margin_and_excess(defence, images, labels))
    for points in candidates:
        new_rank = rank(*margin_and_excess(defence, points, labels))
        best = torch.where(per_row(new_rank > best_rank, images), points, best)
        best_rank = torch.maximum(best_rank, new_rank)
    return best


def margin_and_excess(defence: Defended, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return margin loss and excess, both (N,), from forward passes only.

    The excess is score minus threshold, in units of the detector's spread.
    """
    with torch.no_grad():
        logits, scores = defence.read(points)
        return margin_loss(logits, labels), (scores - defence.threshold) / defence.spread


def _rank(observation: Observation) -> Tensor:
    return rank(observation.margin, observation.excess)


def rank(margin: Tensor, excess: Tensor) -> Tensor:
    """Return the rank of a point, (N,): higher is better for the attacker.

    Wrong points rank above 0, the lower their score the higher, and at least 1 exactly if they are not flagged. So the best
    point gets past every threshold that any of the points gets past. Points that are still right rank at most 0, the
    nearest to being wrong first.
    """
    return torch.where(margin > 0, 1 - excess / (1 + excess.abs()), torch.tanh(margin))
