"""Classifiers of Gaussian blocks with chosen weights, and the ways to hide the gradient of one."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from touchstone.contracts import NonNegativeFloat, PositiveFloat

CENTRE, CLASS, NUISANCE = 0.5, slice(0, 8), slice(12, 16)
CELL, RIPPLE, FREQUENCY = 0.005, 0.002, 20000.0  # in units of the lead


def block_rule(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    form: Literal["linear", "quadratic"] = "linear",
    nuisance: NonNegativeFloat = 0.0,
    nuisance_spread: NonNegativeFloat = 0.0,
    offset: float = 0.0,
    offset_spread: NonNegativeFloat = 0.0,
    scale: PositiveFloat = 30.0,
    scale_spread: NonNegativeFloat = 0.0,
    second_scale: PositiveFloat = 1.0,
    mask: Literal[
        "none", "saturation", "quantisation", "argmax", "stop_gradient", "temperature", "randomness"
    ] = "none",
) -> nn.Module:
    """Return the logits (-lead, lead) times `scale` of a rule whose weights depend only on settings and seed.

    Args:
        input_shape: (1, 4, 4).
        classes: 2.
        form: linear, whose lead is the mean of the class pixels minus 0.5, minus the nuisance weight times the mean of
            the nuisance pixels minus 0.5, minus the offset. Or quadratic, whose lead is the distance of the class pixels
            from 0.5 in L2, minus the offset.
        nuisance: mean over seeds of the nuisance weight.
        nuisance_spread: its standard deviation over seeds.
        offset: mean over seeds of the offset.
        offset_spread: its standard deviation over seeds.
        scale: of the logits; the median over seeds.
        scale_spread: standard deviation of its logarithm over seeds.
        second_scale: further factor of the logits if the nuisance pixels are above 0.5 on average. The decision
            boundary and the input margins stay as they are, their ranking by logit margins does not.
        mask: how the gradient is hidden. No mask changes a decision, except randomness by at most 0.002 of the lead.
    """
    if classes != 2 or input_shape != (1, 4, 4):
        raise ValueError(f"block_rule needs 2 classes and images of (1, 4, 4), got {classes} and {input_shape}")
    drawn = torch.randn(3).tolist()
    weight, threshold = nuisance + nuisance_spread * drawn[0], offset + offset_spread * drawn[1]
    scale *= math.exp(scale_spread * drawn[2])
    if form == "linear" and mask == "none" and second_scale == 1:
        return _linear(weight, threshold, scale)
    return _Rule(form == "quadratic", weight, threshold, scale, second_scale, mask)


def _linear(nuisance: float, offset: float, scale: float) -> nn.Module:
    """Return the linear rule as a plain layer, which bounds can be propagated through."""
    weights = torch.zeros(16)
    weights[CLASS], weights[NUISANCE] = 1 / 8, -nuisance / 4
    layer = nn.Linear(16, 2)
    with torch.no_grad():
        layer.weight.copy_(scale * torch.stack([-weights, weights]))
        layer.bias.copy_(scale * torch.tensor([-1.0, 1.0]) * (-offset - CENTRE * float(weights.sum())))
    return nn.Sequential(nn.Flatten(), layer)


class _Rule(nn.Module):
    def __init__(
        self, quadratic: bool, nuisance: float, offset: float, scale: float, second_scale: float, mask: str
    ) -> None:
        super().__init__()
        self.nuisance, self.offset = nn.Parameter(torch.tensor([nuisance])), nn.Parameter(torch.tensor([offset]))
        self.quadratic, self.scale, self.second_scale, self.mask = quadratic, scale, second_scale, mask

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.flatten(1) - CENTRE
        nuisance = pixels[:, NUISANCE].mean(1)
        size = pixels[:, CLASS].square().sum(1).clamp_min(1e-12).sqrt() if self.quadratic else pixels[:, CLASS].mean(1)
        lead = self._masked(size - self.nuisance * nuisance - self.offset)
        lead = lead * torch.where(nuisance > 0, self.second_scale, 1.0) * self.scale
        return torch.stack([-lead, lead], 1)

    def _masked(self, lead: Tensor) -> Tensor:
        match self.mask:
            case "saturation":
                return torch.tanh(1e5 * lead)
            case "quantisation":
                return (torch.floor(lead / CELL) + 0.5) * CELL
            case "argmax":
                return torch.sign(lead) + 0 * lead
            case "stop_gradient":
                return lead.detach() + 0 * lead
            case "temperature":
                return 1e6 * lead
            case "randomness":
                phase = 6.2832 * torch.rand(len(lead), device=lead.device)
                return lead + RIPPLE * torch.sin(FREQUENCY * lead + phase)
        return lead
