"""k-winners-take-all: of each layer's activations the largest fifth stay, and the others become zero.

Which ones stay changes from point to point, so the network is discontinuous and its gradient leads nowhere. Tramer et al.
estimate a gradient from queries, which averages over the jumps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base, mean_cross_entropy
from touchstone.attacks.adversary.losses import margin_loss

PAPER = Paper(
    mechanism="shattered gradients",
    defence="Xiao, Zhong & Zheng 2020 (1905.10510)",
    felled="Tramer et al. 2020 (2002.08347)",
    deviates="the share of winners is fixed; the paper lowers it step by step in training",
)
WINNERS = 0.1
SAMPLES, AT_ONCE, SPREAD, STEPS = 100, 20, 0.05, 40  # of the estimated gradient


class Winners(nn.Module):
    """Keep the largest activations of each image."""

    def forward(self, values: Tensor) -> Tensor:
        """Return the values with zeros for all but the winners."""
        flat = values.flatten(1)
        least = flat.topk(max(1, round(WINNERS * flat.shape[1])), 1).values[:, -1:]
        return (flat * (flat >= least)).view_as(values)


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the study's small CNN with winners in place of ReLUs."""
    side = -(-input_shape[1] // 4)
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 16, 3, stride=2, padding=1), Winners(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), Winners(),
        nn.Flatten(), nn.Linear(32 * side * side, 128), Winners(), nn.Linear(128, classes),
    )  # fmt: skip


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("k_winners", architecture, mean_cross_entropy, source=Winners)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        def estimated(points: Tensor) -> Tensor:
            total = torch.zeros_like(points)
            with torch.no_grad():
                for _ in range(SAMPLES // AT_ONCE):
                    noise = torch.randn(AT_ONCE, *points.shape)
                    moved = torch.cat([points + SPREAD * noise, points - SPREAD * noise]).flatten(0, 1)
                    up, down = margin_loss(model(moved), labels.repeat(2 * AT_ONCE)).view(2, AT_ONCE, -1)
                    total += ((up - down)[:, :, None, None, None] * noise).sum(0)
            return total

        fooled = wrong(model, labels)
        return climb(lead(model, labels), images, eps, steps=STEPS, fooled=fooled, gradient=estimated)

    return Defence(model, textbook_pgd, felling)
