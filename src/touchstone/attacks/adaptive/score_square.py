"""Random search on the deployed score, from queries only: known images look anomalous, others normal."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.square_search import search_with_squares
from touchstone.contracts import PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def score_square(
    defence: Guarded,
    images: Tensor,
    in_distribution: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.05,
    queries: PositiveInt = 1000,
) -> Tensor:
    """Move the score of each image to the wrong side by the Square attack's random search.

    It follows no gradient, so it checks attacks that do: one that leaves a higher AUROC than this search met a score whose
    gradient is masked.

    Args:
        defence: the classifier behind a detector.
        images: (N, C, H, W) in [0, 1].
        in_distribution: (N,) bool; True raises the score, False lowers it.
        generator: random streams of the images.
        eps: L-inf radius in pixel units.
        queries: forward passes per image.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point whose score is farthest on the wrong side; the image itself if none
        is farther, or its score is infinite on that side.

    References:
        Andriushchenko et al. 2020, with the score in place of the margin; docs/papers/shared.md, "Checks of an attack".
    """
    sign = torch.where(in_distribution, 1.0, -1.0).to(images.dtype)
    first = torch.zeros(len(images), dtype=torch.int64, device=images.device)

    def ahead(points: Tensor, sign: Tensor) -> Tensor:
        values = sign * defence.read(points)[1]
        return torch.stack([torch.zeros_like(values), values], dim=1)  # the wrongness as a margin over the first logit

    with frozen(defence.model), torch.no_grad():
        start = margin_loss(ahead(images, sign), first)
        searched = sign[
            start < torch.inf
        ]  # the search leaves out images whose score is as far on the wrong side as can be
        model = partial(ahead, sign=searched)
        return search_with_squares(model, first, Ball(images, eps), generator, images, start, queries=queries)[0]
