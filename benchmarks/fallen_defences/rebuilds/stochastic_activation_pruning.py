"""Stochastic activation pruning: activations are drawn in proportion to their size, and those never drawn become zero.

The others are divided by their chance to be drawn. It is put into a trained network. A gradient is that of one draw, and the
prediction that of another. Athalye et al. follow the mean gradient over many draws.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import climb, fgsm, lead
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="random",
    defence="Dhillon et al. 2018 (1803.01442)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="a small CNN, so about a seventh as many draws as activations; the paper takes as many on a ResNet-20",
)
SHARE = 0.15  # of a layer's activations: the draws
DRAWS, STEPS = 30, 50  # of EOT


class Pruned(nn.Module):
    """Keep a random part of each image's activations."""

    def forward(self, values: Tensor) -> Tensor:
        """Return the values that were drawn at least once, over the chance of that."""
        flat = values.flatten(1)
        chance = flat.abs() / flat.abs().sum(1, keepdim=True).clamp_min(1e-12)
        kept = -torch.expm1(SHARE * flat.shape[1] * torch.log1p(-chance.clamp(max=1 - 1e-6))).detach()
        drawn = torch.rand_like(flat) < kept
        return torch.where(drawn, flat / kept.clamp_min(1e-12), 0).view_as(values)


def build(base: Base) -> Defence:
    """Return the defence."""
    normalise, network = base.network
    layers = [part for layer in network for part in ((layer, Pruned()) if isinstance(layer, nn.ReLU) else (layer,))]
    model = nn.Sequential(normalise, *layers).eval()

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels, DRAWS), images, eps, steps=STEPS)

    return Defence(model, fgsm, felling, drawn=True)
