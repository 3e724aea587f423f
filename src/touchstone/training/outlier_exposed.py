"""Outlier exposure and its robust forms: OE, ADV, AOE and ALOE are the switches of one objective."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.adversary.losses import cross_entropy, outlier_exposure
from touchstone.contracts import Model, NonNegativeFloat, NonNegativeInt, PositiveFloat, UnitInterval
from touchstone.numerics.tensors import Draws
from touchstone.training._inner_maximisers import towards_uniform, worst


def outlier_exposed(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    outliers: Tensor,
    outlier_generator: Draws,
    *,
    attack_inliers: bool = True,
    outliers_used: Literal["none", "clean", "attacked"] = "attacked",
    outlier_weight: NonNegativeFloat = 0.5,
    eps: UnitInterval = 1 / 255,
    steps: NonNegativeInt = 2,
    step_size: PositiveFloat | None = None,
) -> Tensor:
    """Return CE on the images plus `outlier_weight` times the outlier loss, the mean over each batch.

    | variant  | attack_inliers | outliers_used |
    | original | false          | none          |
    | ADV      | true           | none          |
    | OE       | false          | clean         |
    | AOE      | true           | clean         |
    | ALOE     | true           | attacked      |

    Attacked images raise CE, attacked outliers raise logsumexp(z) - mean(z), each by L-inf PGD within `eps` from a
    uniform float start, the best iterate kept; `step_size` None means 2.5 * eps / steps. Both go through the network
    in one pass. Chen et al. 2020 (ALOE); papers.md 2.b, 2.c. Unlike the official code, which keeps BatchNorm in train
    mode during the attack and truncates the perturbation to 8 bits, the attack runs in eval mode and in floats (2.g).
    """
    if attack_inliers:
        images = worst(model, images, labels, cross_entropy, generator, eps=eps, steps=steps, step_size=step_size)
    if outliers_used == "none":
        return cross_entropy(model(images), labels).mean()
    if outliers_used == "attacked":
        nothing = labels.new_zeros(len(outliers))
        outliers = worst(
            model, outliers, nothing, towards_uniform, outlier_generator, eps=eps, steps=steps, step_size=step_size
        )
    logits, outlier_logits = torch.split(model(torch.cat([images, outliers])), [len(images), len(outliers)])
    return cross_entropy(logits, labels).mean() + outlier_weight * outlier_exposure(outlier_logits).mean()
