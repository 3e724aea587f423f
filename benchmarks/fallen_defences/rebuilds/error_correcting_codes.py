"""Error-correcting codes: four networks each predict a part of a 16-bit code by tanh, and the nearest code word wins.

The outputs are correlations between -16 and 16 of values that saturate, so the cross-entropy has little gradient. Tramer
et al. attack the values before tanh.
"""

from __future__ import annotations

import torch
from scipy.linalg import hadamard
from torch import Tensor, nn

from fallen_defences.attacks import climb, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="misleads the loss",
    defence="Verma & Swami 2019 (NeurIPS)",
    felled="Tramer et al. 2020 (2002.08347), section 9",
    deviates="four small CNNs of four bits each; the paper shares their first layers",
)
BITS, NETWORKS = 16, 4


class Coded(nn.Module):
    """Networks that predict bits, and the correlation with each class's code word."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(small_cnn(input_shape, BITS // NETWORKS, width=8) for _ in range(NETWORKS))
        self.register_buffer("words", torch.from_numpy(hadamard(BITS)[:classes].copy()).float())

    def bits(self, images: Tensor) -> Tensor:
        """Return the values before tanh, (N, 16)."""
        return torch.cat([network(images) for network in self.networks], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the correlations, (N, K)."""
        return self.bits(images).tanh() @ self.words.T


def hinge(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the hinge loss of every bit."""
    coded = model[1]  # type: ignore[index]
    return (1 - coded.bits(images) * coded.words[labels]).clamp_min(0).sum(1).mean()


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("codes", Coded, hinge, source=Coded, attack_loss="margin")
    coded = model[1]  # type: ignore[index]

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(
            lambda moved: margin_loss(coded.bits(moved) @ coded.words.T, labels),
            images, eps, restarts=3, fooled=wrong(model, labels),
        )  # fmt: skip

    return Defence(model, textbook_pgd, felling)
