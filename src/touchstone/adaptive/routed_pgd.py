"""PGD on both sides of a router: wrong as translated and routed there, or wrong as it is and let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.contracts import PositiveFloat, PositiveInt, UnitInterval
from touchstone.defences import Guarded, Pipeline, Straight
from touchstone.evasion import Seen, evade
from touchstone.goals import strongest
from touchstone.tensors import Draws, frozen, per_row


def routed_pgd(
    pipeline: Pipeline,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 40,
    step_size: PositiveFloat | None = None,
    restarts: PositiveInt = 1,
    translator_gradient: Literal["exact", "identity"] = "exact",
) -> Tensor:
    """Return, per image, the point that the deployed pipeline is most wrong about, of those found on either path.

    On each path selective PGD: a step that raises the cross-entropy of the path's logits while they are right, else one
    that moves the router's score to the side of its threshold where that path is taken. `translator_gradient: identity`
    takes the translators for the identity on the way back (BPDA), for those whose clipping stops gradients.
    images (N, C, H, W) in [0, 1], labels (N,) int64. Bryniarski et al. 2021, section 4.1, on both sides as papers.md
    6.4 asks. ValueError for a pipeline without a router.
    """
    if pipeline.router is None:
        raise ValueError("the pipeline has no router, so there is one path: attack it with pgd")
    attacked = pipeline if translator_gradient == "exact" else _straight(pipeline)
    paths = [_Path(attacked, pipeline.router, True), _Path(attacked, pipeline.router, False)]

    def follow(seen: Seen) -> Tensor:
        return torch.where(per_row(seen.wrong, images), -seen.score_gradient, seen.class_gradient)

    with frozen(pipeline):
        found = [
            evade(
                path, images, labels, generator, [follow], eps=eps, steps=steps, step_size=step_size, restarts=restarts
            )
            for path in paths
        ]
        return strongest(pipeline, labels, [images, *found])


def _straight(pipeline: Pipeline) -> Pipeline:
    return Pipeline(pipeline.model, [Straight(translator) for translator in pipeline.translators], pipeline.router)


@dataclass(frozen=True)
class _Path:
    """One path as a guarded classifier: it flags what the router does not send this way."""

    pipeline: Pipeline
    router: Guarded
    translated: bool

    @property
    def model(self) -> nn.Module:
        return self.pipeline

    @property
    def threshold(self) -> float:
        return -self.router.threshold if self.translated else self.router.threshold

    @property
    def spread(self) -> float:
        return self.router.spread

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits, scores = self.router.read(images)
        return (self.pipeline.translated(images), -scores) if self.translated else (logits, scores)
