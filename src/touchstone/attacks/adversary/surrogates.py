"""Surrogate gradients: a defence as it is deployed, followed along the gradients of a smoother one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Guarded, Pipeline, Straight, with_softplus
from touchstone.attacks.adversary.evasion import Defended
from touchstone.attacks.adversary.lowest_scores import rank_at
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.square_search import search_with_squares
from touchstone.numerics.tensors import RandomStreams


@dataclass(frozen=True)
class Followed:
    """A defence whose logits and scores are exact, and whose gradients are those of a surrogate.

    References:
        Athalye et al. 2018, section 4.1 (BPDA); docs/papers/shared.md, "Adaptive attacks".
    """

    exact: Defended
    surrogate: Defended

    @property
    def model(self) -> nn.Module:
        """The network to freeze during the attack; that of the surrogate is frozen for good."""
        return self.exact.model

    @property
    def threshold(self) -> float:
        """The score above which an image is flagged."""
        return self.exact.threshold

    @property
    def spread(self) -> float:
        """The unit in which scores are weighed."""
        return self.exact.spread

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return exact logits (N, K) and scores (N,), to the bit, with the surrogate's graph back to the images."""
        with torch.no_grad():
            exact = self.exact.read(images)
        logits, scores = (
            true + (near - near.detach()) for true, near in zip(exact, self.surrogate.read(images), strict=True)
        )
        return logits, scores


def smooth_guard(defence: Guarded) -> Guarded | None:
    """Return a guarded classifier whose network is smooth; None if it has no ReLU module."""
    model = with_softplus(defence.model)
    return None if model is None else replace(defence, model=model)


def smooth_pipeline(pipeline: Pipeline) -> Pipeline | None:
    """Return a pipeline in which classifier, translators and router are smooth; None if none has a ReLU module.

    A copy keeps shared parts shared, so its router reads its own smooth classifier or encoder.
    """
    smooth = with_softplus(pipeline)
    return smooth if isinstance(smooth, Pipeline) else None


def straight_pipeline(pipeline: Pipeline) -> Pipeline:
    """Return a pipeline whose translators pass gradients on as they are (BPDA)."""
    return Pipeline(pipeline.model, [Straight(translator) for translator in pipeline.translators], pipeline.router)


def search_ranks(
    defence: Defended,
    ball: Ball,
    labels: Tensor,
    generator: RandomStreams,
    best: Tensor,
    *,
    queries: int,
) -> Tensor:
    """Search with squares for points of higher `lowest_scores.rank`, from forward passes only.

    Points are ranked as `ball.stored` returns them: of those that are only just wrong, rounding makes many right again.

    Args:
        defence: the target.
        ball: the points that each row may reach.
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        best: (N, C, H, W), the best point of each image so far.
        queries: forward passes per image.

    Returns:
        The better of `best` and the highest-ranked point, (N, C, H, W), before it is stored.
    """
    ranks = rank_at(defence, ball.stored(best), labels)
    rows = torch.nonzero(ranks < torch.inf)[:, 0]  # nothing ranks higher than a score of -inf
    ball, first = ball.take(rows), torch.zeros_like(rows)
    ranked = _ranked(defence, ball, labels[rows])
    found, _ = search_with_squares(ranked, first, ball, generator.take(rows), best[rows], ranks[rows], queries=queries)
    return best.index_copy(0, rows, found)


def _ranked(defence: Defended, ball: Ball, labels: Tensor) -> Callable[[Tensor], Tensor]:
    """Return a function that gives the ranks of stored points as margins: logits of 0, for the label, and the rank."""

    def ranked(points: Tensor) -> Tensor:
        ranks = rank_at(defence, ball.stored(points), labels)
        return torch.stack([torch.zeros_like(ranks), ranks], dim=1)

    return ranked
