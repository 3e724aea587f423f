"""PGD on both paths of a routed pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.adversary.defences import Pipeline, Straight
from touchstone.adversary.evasion import Observation
from touchstone.adversary.goals import Goal, strongest
from touchstone.adversary.lowest_scores import as_stored, lower_scores, lowest_of
from touchstone.adversary.perturbations import Ball
from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen, per_row


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
    translator_gradient: Literal["exact", "identity"] = "exact",
    objective: Literal["accuracy", "evasion"] = "accuracy",
) -> Tensor:
    """Attack both paths of a pipeline, and keep the point it is most wrong about.

    That point is the worst for the pipeline's accuracy. For an attacker who must not be routed it may be the wrong one, so
    `objective: evasion` keeps the best point that is wrong and not routed instead; report each rate from its own attack.

    On each path it runs selective PGD: if the path's logits are wrong but the router sends the image the other way, a step
    moves the router's score; otherwise a step raises the cross-entropy. Without a router there is one path, and this is
    PGD through the translators. Then Auto-PGD attacks the whole, each image on the path that it takes. Behind a translator
    the loss is rough: steps of a fixed size left 20 % of 200 Fashion-MNIST images right, Auto-PGD 9 %.

    Args:
        pipeline: the classifier behind translators and a router.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the starts.
        eps: L-inf radius in pixel units.
        steps: gradient steps per start.
        step_size: length of a step of PGD; None means 2.5 * eps / steps.
        restarts: starts per path, and runs of Auto-PGD.
        translator_gradient: `identity` replaces the gradient of the translators by the identity (BPDA), for translators
            whose clipping stops gradients.
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
    attacked = pipeline if translator_gradient == "exact" else _straight(pipeline)
    paths = [_Path(attacked, translated) for translated in (True, False) if translated or pipeline.router]

    def follow(observation: Observation) -> Tensor:
        # After success it goes on raising the loss: a point that is only just wrong may be right again on the 1/255 grid.
        return torch.where(
            per_row(observation.wrong & observation.flagged, images),
            -observation.score_gradient,
            observation.class_gradient,
        )

    with frozen(pipeline):
        candidates = [
            lower_scores(
                path, images, labels, generator, [follow], eps=eps, steps=steps, step_size=step_size, restarts=restarts
            )
            for path in paths
        ]
        ball, goal = Ball(images, eps), Goal(labels)
        for _ in range(restarts):
            start = ball.random(generator)
            highest = ascend_with_step_halving(attacked, goal, ball, start, steps=steps)[0]
            candidates.append(as_stored(highest, ball))
        if objective == "evasion":
            path = _Path(pipeline, translated=False)
            return lowest_of(path, images, labels, candidates)
        return strongest(pipeline, labels, [images, *candidates])


def _straight(pipeline: Pipeline) -> Pipeline:
    return Pipeline(pipeline.model, [Straight(translator) for translator in pipeline.translators], pipeline.router)


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
