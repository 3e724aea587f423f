"""Error-correcting codes: four networks predict parts of a 16-bit code by tanh, and the class of the nearest word wins.

Probabilities are correlations with the code words, negative ones cut to zero. Where all others are cut, the cross-entropy
has no gradient. Tramer et al. attack the correlations before they are cut, of values that do not saturate.
"""

from __future__ import annotations

import torch
from scipy.linalg import hadamard
from torch import Tensor, nn

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Hidden, Paper
from fallen_defences.lab import Base
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="misleads the loss",
    defence="Verma & Swami 2019 (NeurIPS)",
    felled="Tramer et al. 2020 (2002.08347)",
    deviates="four small CNNs of four bits each; the paper's share their first layers. Logits are log-probabilities",
)
BITS, NETWORKS, LEAST, GENTLE = 16, 4, 1e-12, 4.0


class Decoded(Hidden):
    """From values to the log-probabilities of the classes."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.register_buffer("words", torch.from_numpy(hadamard(BITS)[:classes].copy()).float())

    def hard(self, values: Tensor) -> Tensor:
        """Return the logarithm of the shares of the correlations, negative ones cut to zero."""
        correlations = (values.tanh() @ self.words.T).clamp_min(0)
        return (correlations / correlations.sum(1, keepdim=True).clamp_min(LEAST)).clamp_min(LEAST).log()

    def soft(self, values: Tensor) -> Tensor:
        """Return correlations of values that saturate later, uncut."""
        return (values / GENTLE).tanh() @ self.words.T


class Coded(nn.Module):
    """Networks that predict bits, and the decoder."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(small_cnn(input_shape, BITS // NETWORKS, width=8) for _ in range(NETWORKS))
        self.decode = Decoded(classes)

    def bits(self, images: Tensor) -> Tensor:
        """Return the values before tanh, (N, 16)."""
        return torch.cat([network(images) for network in self.networks], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return log-probabilities, (N, K)."""
        return self.decode(self.bits(images))


def hinge(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the hinge loss of every bit."""
    coded = model[1]  # type: ignore[index]
    return (1 - coded.bits(images).tanh() * coded.decode.words[labels]).sum(1).mean()


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("codes", Coded, hinge, source=Coded, attack_loss="margin")

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=3, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling)
