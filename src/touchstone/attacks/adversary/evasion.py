"""The loop of attacks on a guarded classifier: be wrong and unflagged in the images that a study stores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Guarded, smoothed
from touchstone.attacks.adversary.losses import LossOfLogits, cross_entropy, keep_higher, margin_loss
from touchstone.attacks.adversary.perturbations import Ball, resolve_step_size
from touchstone.numerics.tensors import RandomStreams, frozen, per_row, row_norms


@dataclass(frozen=True)
class Observation:
    """What a white-box attacker observes at one point of each row. A gradient is computed when it is first read.

    Attributes:
        margin: (N,), margin loss; above 0 exactly if the prediction is wrong.
        excess: (N,), score minus threshold in units of the detector's spread; above 0 exactly if flagged.
        class_slope: computes `class_gradient`.
        score_slope: computes `score_gradient`.
    """

    margin: Tensor
    excess: Tensor
    class_slope: Callable[[], Tensor]
    score_slope: Callable[[], Tensor]

    @cached_property
    def class_gradient(self) -> Tensor:
        """The gradient of the cross-entropy or of the loss that the attack chose, (N, C, H, W)."""
        return self.class_slope()

    @cached_property
    def score_gradient(self) -> Tensor:
        """The gradient of the excess, (N, C, H, W)."""
        return self.score_slope()

    @property
    def wrong(self) -> Tensor:
        """Whether the prediction differs from the label, (N,) bool."""
        return self.margin > 0

    @property
    def flagged(self) -> Tensor:
        """Whether the detector flags the point, (N,) bool."""
        return self.excess > 0


Direction = Callable[[Observation], Tensor]


def lower_or_raise(observation: Observation, lower: Tensor) -> Tensor:
    """Return the direction that lowers the score of some rows, and raises the loss of the others, (N, C, H, W).

    A gradient that no row needs is not computed.

    Args:
        observation: of all rows.
        lower: (N,) bool, the rows whose score is lowered.
    """
    if not bool(lower.any()):
        return observation.class_gradient
    if bool(lower.all()):
        return -observation.score_gradient
    return torch.where(
        per_row(lower, observation.class_gradient), -observation.score_gradient, observation.class_gradient
    )


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
    directions: Sequence[Direction],
    *,
    eps: float,
    steps: int,
    step_size: float | None,
    restarts: int,
    loss: LossOfLogits = cross_entropy,
    softplus_beta: float | None = None,
) -> Tensor:
    """Follow each direction from several starts, and keep the best points as a study stores them.

    The defence only sees points rounded to 8 bits: a point with the widest margin often has a score just below the
    threshold, and is flagged when it is rounded.

    The first start is the image itself; the others are uniform points of the L-inf ball.

    Args:
        defence: the target.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        directions: each maps an observation to a step direction (N, C, H, W).
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step; None means 2.5 * eps / steps.
        restarts: starts per direction.
        loss: of logits and labels; its gradient leads to a wrong class.
        softplus_beta: if the score of an image has no gradient, use that of the network with this softplus instead of
            ReLU; None does not.

    Returns:
        (N, C, H, W) in [0, 1], on the 1/255 grid if the images are: the best point by `rank`, which prefers wrong and
        unflagged, then wrong and least flagged, then nearest to being wrong.
    """
    surrogate = smoothed(defence, softplus_beta) if softplus_beta is not None and isinstance(defence, Guarded) else None

    def observed(points: Tensor) -> Observation:
        observation = observe(defence, points, labels, loss)
        return (
            observation if surrogate is None else _with_surrogate_gradient(observation, surrogate, points, labels, loss)
        )

    sizes = [resolve_step_size(step_size, eps, steps)] * steps
    with frozen(defence.model):
        return follow(observed, rank, Ball(images, eps), generator, directions, sizes=sizes, restarts=restarts)


def follow(
    observed: Callable[[Tensor], Observation],
    ranked: Callable[[Tensor, Tensor], Tensor],
    ball: Ball,
    generator: RandomStreams,
    directions: Sequence[Direction],
    *,
    sizes: Sequence[float],
    restarts: int,
) -> Tensor:
    """Follow each direction from several starts, and keep the stored points of the highest rank.

    Steps start from the points before rounding, so that short ones add up. No pass is added: a step reads logits, scores
    and gradients at the rounded point.

    Args:
        observed: points (N, C, H, W) to what the attacker observes there.
        ranked: margin and excess, both (N,), to the rank of a point, (N,); higher is better.
        ball: the points that each row may reach.
        generator: random streams of the images, for the starts.
        directions: each maps an observation to a step direction (N, C, H, W).
        sizes: the length of each step.
        restarts: starts per direction; the first is the image itself, the others are random points of the ball.

    Returns:
        (N, C, H, W): the best of the images and all stored points.
    """
    best, observation = ball.images, observed(ball.images)
    best_rank = ranked(observation.margin, observation.excess)
    for direction in directions:
        for restart in range(restarts):
            points = ball.images if restart == 0 else ball.random(generator)
            for size in [*sizes, None]:  # the point after the last step is observed, but not moved
                stored = ball.stored(points)
                observation = observed(stored)
                best, best_rank = keep_higher(best, best_rank, stored, ranked(observation.margin, observation.excess))
                if size is not None:
                    points = ball.step(points, direction(observation), size)
    return best


def observe(defence: Defended, points: Tensor, labels: Tensor, loss: LossOfLogits) -> Observation:
    """Return what a white-box attacker observes of a defence at points (N, C, H, W)."""
    points = points.detach().requires_grad_()
    with torch.enable_grad():
        logits, scores = defence.read(points)
        loss_of_all = loss(logits, labels).sum()
        excess = (scores - defence.threshold) / defence.spread
        excess_of_all = excess.sum()

    def class_slope() -> Tensor:
        return torch.autograd.grad(loss_of_all, points, retain_graph=True)[0]

    def score_slope() -> Tensor:
        return slope_of(excess_of_all, points)

    return Observation(margin_loss(logits.detach(), labels), excess.detach(), class_slope, score_slope)


def slope_of(total: Tensor, points: Tensor) -> Tensor:
    """Return the gradient of a sum in points (N, ...); 0 if it does not depend on them, or only through a comparison."""
    if not total.requires_grad:
        return torch.zeros_like(points)
    (slope,) = torch.autograd.grad(total, points, retain_graph=True, materialize_grads=True, allow_unused=True)
    return slope


def _with_surrogate_gradient(
    observation: Observation, surrogate: Guarded, points: Tensor, labels: Tensor, loss: LossOfLogits
) -> Observation:
    flat = is_flat(observation.score_gradient)
    if not bool(flat.any()):
        return observation
    gradient = observation.score_gradient.clone()
    gradient[flat] = observe(surrogate, points[flat], labels[flat], loss).score_gradient
    return replace(observation, score_slope=lambda: gradient)


def is_flat(gradient: Tensor) -> Tensor:
    """Return which rows of a gradient (N, ...) are exactly 0, (N,) bool."""
    return row_norms(gradient, "linf") == 0


def flat_scores(defence: Guarded, images: Tensor) -> Tensor:
    """Return which images have no score gradient at all, (N,) bool.

    Following the gradient cannot lower the score there.
    """
    with frozen(defence.model):
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        return is_flat(observe(defence, images, labels, cross_entropy).score_gradient)


def best_of(defence: Guarded, images: Tensor, labels: Tensor, candidates: Iterable[Tensor]) -> Tensor:
    """Return the best of each image and its candidates by `rank`, (N, C, H, W).

    Uses forward passes only. Candidates are ranked as they are: round them before, with `Ball.stored`.
    """
    best, best_rank = images, rank(*margin_and_excess(defence, images, labels))
    for points in candidates:
        new_rank = rank(*margin_and_excess(defence, points, labels))
        best, best_rank = keep_higher(best, best_rank, points, new_rank)
    return best


def margin_and_excess(defence: Guarded, points: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return margin loss and excess, both (N,), from forward passes only.

    The excess is score minus threshold, in units of the detector's spread.
    """
    with torch.no_grad():
        logits, scores = defence.read(points)
        return margin_loss(logits, labels), (scores - defence.threshold) / defence.spread


def rank(margin: Tensor, excess: Tensor) -> Tensor:
    """Return the rank of a point, (N,): higher is better for the attacker.

    Evading points rank at least 1, the surest of a wrong class first; wrong but flagged ones in (0, 1), the least flagged
    first; and points that are still right at most 0, the nearest to being wrong first. Nothing saturates: a rank that is
    flat on confident rows would be no guide.
    """
    return torch.where(margin > 0, torch.where(excess > 0, 1 / (2 + excess), 1 + margin), margin)
