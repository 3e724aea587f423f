"""certified_msp: the most or the least that an attacker within eps can make of the maximum softmax probability."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeFloat
from touchstone.numerics.linear_bounds import Bounds, checked_graph
from touchstone.numerics.tensors import batches, frozen

IMAGES = 16  # bounded at a time: memory grows with them, and no more of them are faster
LEADERS = 3  # of these many classes, the greatest logits: more tighten nothing


def certified_msp(
    model: nn.Module, images: Tensor, *, eps: NonNegativeFloat = 0.05, end: Literal["low", "high"] = "high"
) -> Tensor:
    """Return an end of what the score `msp` can be anywhere in the L-inf ball around each image, cut to [0, 1].

    No attack of that norm and eps raises msp above the high end, nor lowers it below the low end. Both are msp itself if eps
    is 0. The deeper and the less robust the network, the further they are from what an attack reaches.

    Args:
        model: a network of affine layers, ReLUs, poolings and sums.
        images: (N, C, H, W) in [0, 1].
        eps: the radius, in pixel units.
        end: high for images that an attacker makes look anomalous, low for those that look normal under attack.

    Returns:
        (N,), from -1 to -1/K for K classes; higher is more anomalous.

    Raises:
        ValueError: names the first layer that no linear bounds are known for.

    References:
        Zhang et al. 2018 (CROWN), for the bounds on differences of logits.
    """
    with frozen(model):
        return torch.cat([-_largest(model, some, eps, end).to(some) for (some,) in batches(IMAGES, images)])


def _largest(model: nn.Module, images: Tensor, eps: float, end: str) -> Tensor:
    """Return the bound on the largest softmax probability, (N,) float64."""
    bounds = Bounds(checked_graph(model, images), (images - eps).clamp_min(0), (images + eps).clamp_max(1))
    logits = model(images).double()
    return least_maximum(bounds, logits) if end == "high" else greatest_maximum(bounds, logits)


def least_maximum(bounds: Bounds, logits: Tensor) -> Tensor:
    """Return a lower bound (N,) on the largest softmax probability.

    It is 1 / sum_j exp(z_j - max z). The maximum is at least the mean of any logits, so z_j - max z is bounded by 0 and by
    z_j less the mean of the leading 1, 2, ... ones, which may be tied. The leaders are those of `logits`, the clean ones.
    """
    unit = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
    leading = unit[logits.topk(min(LEADERS, len(unit)), dim=1).indices]  # (N, leaders, K)
    means = leading.cumsum(1) / torch.arange(1, leading.shape[1] + 1, device=unit.device)[:, None]
    behind = means[:, :, None] - unit  # (N, leaders, K, K): row [n, j] times the logits is the mean less z_j
    least = bounds.lower(behind.flatten(1, 2)).view(behind.shape[:3]).amax(1)
    return 1 / (-least).clamp_max(0).exp().sum(1)


def greatest_maximum(bounds: Bounds, logits: Tensor) -> Tensor:
    """Return an upper bound (N,) on the largest softmax probability.

    -log p_k is the log-sum-exp of all z_j - z_k. That is at least that of their lower bounds, and at least their mean under
    any weights plus the weights' entropy, which bounds all differences together. The weights are the clean probabilities and
    those of the lower bounds.
    """
    unit = torch.eye(logits.shape[1], dtype=logits.dtype, device=logits.device)
    ahead = (unit[None] - unit[:, None])[None]  # row [k, j] times the logits is z_j - z_k
    each = bounds.lower(ahead.flatten(1, 2)).view(len(logits), *ahead.shape[1:3])
    least = each.logsumexp(2)
    for weights in (each.softmax(2), logits.softmax(1)[:, None].expand_as(each)):
        together = bounds.lower((weights[..., None] * ahead).sum(2)) + torch.special.entr(weights).sum(2)
        least = torch.maximum(least, together)
    return (-least).exp().amax(1).clamp_max(1)
