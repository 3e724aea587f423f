"""Max-Mahalanobis centres: features are drawn to fixed centres, and logits are minus the squared distance to them.

Nothing is masked on purpose, but cross-entropy of such logits saturates and points elsewhere than to the nearest wrong
centre. Tramer et al. attack the difference of the distances.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="misleads the loss",
    defence="Pang et al. 2020 (1905.10626)",
    felled="Tramer et al. 2020 (2002.08347)",
    deviates="a small CNN; the paper has a ResNet-32",
)
FEATURES, RADIUS = 64, 10.0


def centres(classes: int) -> Tensor:
    """Return centres of equal length whose directions are as far apart as can be: a regular simplex, (K, D)."""
    simplex = functional.normalize(torch.eye(classes) - 1 / classes, dim=1)
    return functional.pad(RADIUS * simplex, (0, FEATURES - classes))


class Distances(nn.Module):
    """Minus the squared distance of features to each centre."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("centres", centres(classes))

    def forward(self, features: Tensor) -> Tensor:
        """Return logits (N, K)."""
        return -(features[:, None] - self.centres).square().sum(2)


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the small CNN with features in place of logits, and the distances."""
    return nn.Sequential(small_cnn(input_shape, FEATURES), Distances(classes))


def centre_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return half of the squared distance to the centre of the class."""
    return -model(images).gather(1, labels[:, None]).mean() / 2


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("centres", architecture, centre_loss, source=Distances, attack_loss="margin")

    def weak(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return textbook_pgd(network, images, labels, eps, steps=10)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=3, fooled=wrong(model, labels))

    return Defence(model, weak, felling)
