"""Outlier exposure and its robust forms: OE, ADV, AOE and ALOE in one objective."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import cross_entropy, outlier_exposure
from touchstone.contracts import Model, NonNegativeFloat, NonNegativeInt, PositiveFloat, UnitInterval
from touchstone.numerics.tensors import RandomStreams
from touchstone.training._inner_maximisers import worst, worst_outliers


def outlier_exposed(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    outliers: Tensor,
    outlier_generator: RandomStreams,
    *,
    attack_inliers: bool = True,
    outliers_used: Literal["none", "clean", "attacked"] = "attacked",
    outlier_weight: NonNegativeFloat = 0.5,
    eps: UnitInterval = 1 / 255,
    steps: NonNegativeInt = 2,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Train on images and outliers, either of them attacked.

    | variant  | attack_inliers | outliers_used |
    | -------- | -------------- | ------------- |
    | original | false          | none          |
    | ADV      | true           | none          |
    | OE       | false          | clean         |
    | AOE      | true           | clean         |
    | ALOE     | true           | attacked      |

    Attacked images raise CE, attacked outliers raise logsumexp(z) - mean(z). Both use L-inf PGD from a uniform start and
    keep the best iterate. Images and outliers go through the network in one pass.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1], inliers.
        labels: (N,) int64, their true classes.
        generator: random streams of the images, for their attack.
        outliers: (M, C, H, W) in [0, 1].
        outlier_generator: random streams of the outliers, for their attack.
        attack_inliers: attack the images.
        outliers_used: none, clean or attacked.
        outlier_weight: of the outlier loss.
        eps: L-inf radius of the attacks in pixel units.
        steps: gradient steps of the attacks.
        step_size: length of a step; None means 2.5 * eps / steps.

    Returns:
        CE on the images plus `outlier_weight` times the outlier loss, means over their batches.

    References:
        Chen et al. 2020 (ALOE); docs/papers/aloe.md, "Objective". The official code attacks with BatchNorm in train mode
        and truncates to 8 bits; here attacks run in eval mode and in floats (same page, "Deviations" and "Known traps").
    """
    if attack_inliers:
        images = worst(model, images, labels, cross_entropy, generator, eps=eps, steps=steps, step_size=step_size)
    if outliers_used == "none":
        return cross_entropy(model(images), labels).mean()
    if outliers_used == "attacked":
        outliers = worst_outliers(model, outliers, outlier_generator, eps=eps, steps=steps, step_size=step_size)
    logits, outlier_logits = torch.split(model(torch.cat([images, outliers])), [len(images), len(outliers)])
    return cross_entropy(logits, labels).mean() + outlier_weight * outlier_exposure(outlier_logits).mean()
