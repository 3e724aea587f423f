"""PGD on both paths of a routed pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.attacks.adversary.defences import Pipeline
from touchstone.attacks.adversary.evasion import Observation, lower_or_raise
from touchstone.attacks.adversary.goals import Goal, strongest
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.lowest_scores import lower_scores, lowest_of, rank_at
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.success import misclassified_on_grid
from touchstone.attacks.adversary.surrogates import Followed, search_ranks, smooth_pipeline, straight_pipeline
from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def routed_pgd(
    pipeline: Pipeline,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    queries: NonNegativeInt = 200,
    objective: Literal["accuracy", "evasion"] = "accuracy",
) -> Tensor:
    """Attack both paths of a pipeline, and keep the point it is most wrong about.

    That point is the worst for the pipeline's accuracy. For an attacker who must not be routed it may be the wrong one, so
    `objective: evasion` keeps the best point that is wrong and not routed instead; report each rate from its own attack.

    On each path it runs selective PGD: if the path's logits are wrong but the router sends the image the other way, a step
    moves the router's score; otherwise a step raises the cross-entropy. Without a router there is one path, and this is
    PGD through the translators. Then Auto-PGD attacks the whole, each image on the path that it takes. Behind a translator
    the loss is rough: steps of a fixed size left 20 % of 200 Fashion-MNIST images right, Auto-PGD 9 %. Attacking accuracy,
    Auto-PGD stops at a point that is misclassified on the 8-bit grid.

    Images on which the defence still holds get more. The same runs raise the margin, whose gradient a confident softmax
    does not round away. They follow gradients that replace the translators by the identity (BPDA), and those of softplus
    in place of every ReLU. A search with squares needs no gradients.

    Args:
        pipeline: the classifier behind translators and a router.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step of PGD; None means 2.5 * eps / steps.
        restarts: starts per path, and runs of Auto-PGD.
        queries: forward passes of the search with squares; 0 leaves it out.
        objective: which points to keep of those that all runs found.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss of the deployed pipeline; or with
        `evasion`, the best by `lowest_scores.rank`, for which routed images are flagged.

    Raises:
        ValueError: the objective is `evasion`, and the pipeline has no router.

    References:
        Bryniarski et al. 2021, section 4.1, here on both paths; docs/papers/shared.md, "Adaptive attacks".
    """
    if objective == "evasion" and pipeline.router is None:
        raise ValueError("the pipeline has no router, so there is none to evade: use objective accuracy")
    with frozen(pipeline):
        ball, goal = Ball(images, eps), Goal(labels, kept_by=margin_loss)
        candidates = [
            lower_scores(path, ball, labels, generator, [_follow], steps=steps, step_size=step_size, restarts=restarts)
            for path in _paths(pipeline)
        ]
        success = misclassified_on_grid(pipeline) if objective == "accuracy" else None
        for _ in range(restarts):
            start = ball.random(generator)
            highest = ascend_with_step_halving(pipeline, goal, ball, start, steps=steps, success=success)[0]
            candidates.append(ball.stored(highest))
        best = _best(pipeline, images, labels, candidates, objective)
        rows = torch.nonzero(_holds(pipeline, best, labels, objective))[:, 0]
        if len(rows):
            part = (ball.take(rows), labels[rows], generator.take(rows))
            more = _hard_images(pipeline, *part, steps=steps, step_size=step_size, queries=queries)
            hard = _best(pipeline, best[rows], labels[rows], more, objective)
            best = best.index_copy(0, rows, hard)
        return best


@dataclass(frozen=True)
class _Path:
    """One path as a guarded classifier: it flags images routed the other way."""

    pipeline: Pipeline
    translated: bool

    @property
    def model(self) -> nn.Module:
        return self.pipeline

    @property
    def threshold(self) -> float:
        router = self.pipeline.router
        return 0.0 if router is None else -router.threshold if self.translated else router.threshold

    @property
    def spread(self) -> float:
        return 1.0 if self.pipeline.router is None else self.pipeline.router.spread

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.pipeline.router is None:
            logits = self.pipeline.translated(images)
            return logits, 0 * logits.sum(1)
        logits, scores = self.pipeline.router.read(images)
        if self.translated:
            return self.pipeline.translated(images), -scores
        return (logits if self.pipeline.encoder is None else self.pipeline.model(images)), scores


def _paths(pipeline: Pipeline) -> list[_Path]:
    return [_Path(pipeline, translated) for translated in (True, False) if translated or pipeline.router]


def _follow(observation: Observation) -> Tensor:
    # After success it goes on raising the loss: a point that is only just wrong may be right again on the 1/255 grid.
    return lower_or_raise(observation, observation.wrong & observation.flagged)


def _best(pipeline: Pipeline, images: Tensor, labels: Tensor, candidates: list[Tensor], objective: str) -> Tensor:
    """Return the best of images and candidates, (N, C, H, W)."""
    if objective == "evasion":
        return lowest_of(_Path(pipeline, translated=False), images, labels, candidates)
    return strongest(pipeline, labels, [images, *candidates])


def _holds(pipeline: Pipeline, points: Tensor, labels: Tensor, objective: str) -> Tensor:
    """Return where the defence is right, or with `evasion` where it is right or translates, (N,) bool."""
    if objective == "evasion":
        return rank_at(_Path(pipeline, translated=False), points, labels) < 1
    with torch.no_grad():
        logits: Tensor = pipeline(points)
    return logits.argmax(1) == labels


def _hard_images(
    pipeline: Pipeline,
    ball: Ball,
    labels: Tensor,
    generator: RandomStreams,
    *,
    steps: int,
    step_size: float | None,
    queries: int,
) -> list[Tensor]:
    """Return more candidates for images on which the defence holds."""
    candidates = [
        lower_scores(path, ball, labels, generator, [_follow], steps=steps, step_size=step_size, loss=margin_loss)
        for path in _paths(pipeline)
    ]
    for surrogate in filter(None, (straight_pipeline(pipeline), smooth_pipeline(pipeline))):
        for exact, near in zip(_paths(pipeline), _paths(surrogate), strict=True):
            followed = Followed(exact, near)
            candidates.append(
                lower_scores(followed, ball, labels, generator, [_follow], steps=steps, step_size=step_size)
            )
    for path in _paths(pipeline) if queries else []:
        searched = search_ranks(path, ball, labels, generator, ball.images, queries=queries)
        candidates.append(ball.stored(searched))
    return candidates
