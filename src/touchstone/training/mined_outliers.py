"""Robust outlier exposure on mined outliers, after ATOM."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.losses import cross_entropy, outlier_exposure
from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.training._inner_maximisers import divergent, trades_loss, worst, worst_outliers


def mined_outliers(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    outliers: Tensor,
    outlier_generator: RandomStreams,
    *,
    inliers: Literal["clean", "attacked", "trades"] = "attacked",
    attack_outliers: bool = True,
    kept: UnitInterval = 0.25,
    skipped: UnitInterval = 0.125,
    outlier_weight: NonNegativeFloat = 0.5,
    beta: NonNegativeFloat = 6.0,
    eps: UnitInterval = 1 / 255,
    steps: PositiveInt = 2,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Train on the outliers that look most like inliers.

    Outliers are ranked by how confident the network is of them: logsumexp(z) - mean(z) in eval mode, highest first. The
    first share `skipped` is left out, because the very hardest are often mislabelled inliers. The next share `kept`, at
    least one outlier, is trained on.

    The paper draws its pool once per epoch and ranks it by the probability of an extra outlier class. Here the pool is the
    outlier batch and the loss is ALOE's, so choose a large outlier_batch_size.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1], inliers.
        labels: (N,) int64, their true classes.
        generator: random streams of the images, for their attack.
        outliers: (M, C, H, W) in [0, 1].
        outlier_generator: random streams of the outliers, for their attack.
        inliers: cross-entropy on clean or on attacked images, or TRADES.
        attack_outliers: attack the outliers that are kept.
        kept: share of the outliers to train on.
        skipped: share of the hardest outliers to leave out.
        outlier_weight: of the outlier loss.
        beta: of TRADES.
        eps: L-inf radius of the attacks in pixel units.
        steps: gradient steps of the attacks.
        step_size: length of a step; None means 2.5 * eps / steps.

    Returns:
        The inlier loss plus `outlier_weight` times the outlier loss, means over their batches.

    Raises:
        ValueError: skipped + kept is above 1.

    References:
        Chen et al. 2021 (ATOM); docs/papers/aloe.md.
    """
    if skipped + kept > 1:
        raise ValueError(f"skipped + kept must be at most 1, got {skipped:g} + {kept:g}")
    rows = _informative(model, outliers, skipped, kept)
    outliers, outlier_generator = outliers[rows], outlier_generator.take(rows)
    if attack_outliers:
        outliers = worst_outliers(model, outliers, outlier_generator, eps=eps, steps=steps, step_size=step_size)
    if inliers == "attacked":
        images = worst(model, images, labels, cross_entropy, generator, eps=eps, steps=steps, step_size=step_size)
    parts = [images, outliers]
    if inliers == "trades":
        parts.append(divergent(model, images, generator, eps=eps, steps=steps, step_size=step_size))
    logits, outlier_logits, *more = torch.split(model(torch.cat(parts)), [len(part) for part in parts])
    inlier_loss = trades_loss(logits, more[0], labels, beta) if more else cross_entropy(logits, labels)
    return inlier_loss.mean() + outlier_weight * outlier_exposure(outlier_logits).mean()


def _informative(model: Model, outliers: Tensor, skipped: float, kept: float) -> Tensor:
    """Return the rows of the outliers to train on, most inlier-like first."""
    with tensors.frozen(model), torch.no_grad():
        hardest = outlier_exposure(model(outliers)).argsort(descending=True, stable=True)
    first, count = int(skipped * len(outliers)), max(1, round(kept * len(outliers)))
    return hardest[first : first + count]
