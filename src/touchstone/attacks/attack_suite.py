"""The attacks that a robust accuracy needs, each on the images that the ones before it have not fooled."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import (
    LossOfLogits,
    cross_entropy,
    dlr_loss,
    keep_higher,
    loss_and_input_gradient,
    margin_loss,
)
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.attacks.adversary.square_search import search_with_squares
from touchstone.attacks.adversary.success import misclassified_on_grid
from touchstone.contracts import Model, NonNegativeInt, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen

_DIVERSE_STEPS = 3  # towards a random direction of the logits; Tashiro et al. take two to ten
_FIRST_RESTARTS = 3  # of every image; after them, gradients have come near or not
_NEAR = 1 / 6  # of its lead that an image may keep and still be near the boundary
_FIRST_QUERIES = 1 / 10  # of all queries; the rest only where these come closer than gradients have
_TARGETS = 3  # classes that targeted runs aim for
_STEPS_FROM_IMAGE, _STEPS_FROM_BEST = 25, 50  # towards each of them


def attack_suite(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 20,
    restarts: PositiveInt = 15,
    restart_steps: PositiveInt = 15,
    queries: NonNegativeInt = 1500,
    norm: Literal["linf", "l2"] = "linf",
) -> Tensor:
    """Find out whether an image can be misclassified within `eps`, by different attacks one after the other.

    First Auto-PGD raises the cross-entropy from a uniform start. Then it restarts on the margin loss and the DLR loss in
    turn, from points that differ in their logits: steps along a random direction of the logits lead there from a uniform
    point. After three restarts Auto-PGD aims from the image itself for its three likeliest wrong classes: some networks,
    such as vision transformers, have examples that no untargeted run comes near to. Now an image is near the boundary if
    it keeps at most a sixth of its lead. Near images get all `restarts`, then targeted runs from their best point. Last,
    Square searches without gradients. A tenth of its queries is a probe: if they come closer than gradients have, or
    nothing has raised the loss, gradients may be masked, and the image gets all queries. Square is made for L-inf, so with
    L2 all images count as near and it does not run. An image is finished once it is misclassified and stays so on the
    1/255 grid. What it gets depends on no other image.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: radius in pixel units of `norm`.
        steps: gradient steps on the cross-entropy.
        restarts: runs on the margin loss and the DLR loss.
        restart_steps: gradient steps of each of them.
        queries: of Square; 0 leaves it out.
        norm: of the ball.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the first point that is misclassified on the grid, otherwise the point with the
        highest margin loss.

    References:
        Croce & Hein 2020 (AutoAttack), with over eight times the passes, see benchmarks/attack_strength.py; Tashiro et
        al. 2020 (output diversified initialisation); Liu et al. 2022 (A3), who give up images that are hard to attack.
    """
    with frozen(model), torch.no_grad():
        classes = check_inputs(model, images, labels)
        search = _Search(model, labels, Ball(images, eps, norm), generator, model(images))
        losses = (margin_loss, dlr_loss) if classes > 2 else (margin_loss,)
        targeted, targets = (dlr_loss if classes > 3 else margin_loss), range(min(_TARGETS, classes - 1))

        every = torch.ones_like(labels, dtype=torch.bool)
        search.run(search.open(every), cross_entropy, steps)
        for restart in range(min(restarts, _FIRST_RESTARTS)):
            search.run(search.open(every), losses[restart % len(losses)], restart_steps, diverse=classes)
        for rank in targets:
            search.run_towards(search.open(every), rank, targeted, images, _STEPS_FROM_IMAGE)
        near = search.loss >= _NEAR * search.clean if norm == "linf" else every
        for restart in range(_FIRST_RESTARTS, restarts):
            search.run(search.open(near), losses[restart % len(losses)], restart_steps, diverse=classes)
        for rank in targets:
            search.run_towards(search.open(near), rank, targeted, search.best, _STEPS_FROM_BEST)
        if norm == "linf":
            search.query(queries)
    return search.best


class _Search:
    """The best point of each image so far, and the attacks that look for better ones.

    Attributes:
        best: (N, C, H, W), the point with the highest margin loss.
        loss: (N,), its margin loss; +inf if the image is finished.
        logits, clean: (N, K) and (N,), the logits of the image itself and their margin loss.
    """

    def __init__(self, model: Model, labels: Tensor, ball: Ball, generator: RandomStreams, logits: Tensor) -> None:
        self.model, self.labels, self.ball, self.generator = model, labels, ball, generator
        self.logits, self.clean, self.success = logits, margin_loss(logits, labels), misclassified_on_grid(model)
        self.best, self.loss = ball.images, self.clean

    def open(self, among: Tensor) -> Tensor:
        """Return the images that are not finished, among those of a mask (N,)."""
        return torch.nonzero(among & (self.loss < torch.inf))[:, 0]

    def run(self, rows: Tensor, loss: LossOfLogits, steps: int, *, diverse: int = 0) -> None:
        """Raise a loss of some images, from uniform points; with `diverse` classes, these first part in their logits."""
        start = self.ball.random(self.generator)[rows]
        if diverse:
            direction = 2 * self.generator.uniform((diverse,), start.dtype)[rows] - 1
            start = _diverse(self.model, self.ball.take(rows), start, direction)
        self._ascend(rows, Goal(self.labels[rows], loss, kept_by=margin_loss), start, steps)

    def run_towards(self, rows: Tensor, rank: int, loss: LossOfLogits, starts: Tensor, steps: int) -> None:
        """Aim for the wrong class of some rank at the starts of some images, from there."""
        if len(rows):
            logits = self.logits[rows] if starts is self.ball.images else self.model(starts[rows])
            wrong = logits.scatter(1, self.labels[rows][:, None], -torch.inf)
            target = wrong.argsort(1, descending=True)[:, rank]
            self._ascend(rows, Goal(self.labels[rows], loss, target, kept_by=margin_loss), starts[rows], steps)

    def query(self, queries: int) -> None:
        """Search with squares: with all queries only where gradients have raised nothing, or the first queries more."""
        before, every = self.loss, torch.ones_like(self.labels, dtype=torch.bool)
        self._squares(self.open(every), math.ceil(_FIRST_QUERIES * queries))
        self._squares(self.open((self.loss > before) | (before <= self.clean)), queries)

    def _squares(self, rows: Tensor, queries: int) -> None:
        if queries == 0 or len(rows) == 0:
            return
        part = (self.labels[rows], self.ball.take(rows), self.generator.take(rows), self.best[rows], self.loss[rows])
        self._keep(rows, *search_with_squares(self.model, *part, queries=queries, success=self.success))

    def _ascend(self, rows: Tensor, goal: Goal, start: Tensor, steps: int) -> None:
        if len(rows) == 0:
            return
        ball = self.ball.take(rows)
        self._keep(rows, *ascend_with_step_halving(self.model, goal, ball, start, steps=steps, success=self.success))

    def _keep(self, rows: Tensor, points: Tensor, loss: Tensor) -> None:
        self.best, self.loss = self.best.clone(), self.loss.clone()
        self.best[rows], self.loss[rows] = keep_higher(self.best[rows], self.loss[rows], points, loss)


def _diverse(model: Model, ball: Ball, points: Tensor, direction: Tensor) -> Tensor:
    """Return `points` after steps that move the logits along a direction (N, K)."""
    for _ in range(_DIVERSE_STEPS if len(points) else 0):
        _, gradient = loss_and_input_gradient(lambda moved: (model(moved) * direction).sum(1), points)
        points = ball.step(points, gradient, ball.eps)
    return points
