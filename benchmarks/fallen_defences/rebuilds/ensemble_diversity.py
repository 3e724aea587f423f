"""Adaptive diversity promoting (ADP): three networks learn together to disagree on the classes that are wrong.

The regulariser spreads the members' wrong probabilities, which are tiny, apart. Tramer et al. find that a longer attack on
the mean prediction suffices.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="ensembles",
    defence="Pang et al. 2019 (1901.08846)",
    felled="Tramer et al. 2020 (2002.08347)",
    deviates="three small CNNs; the paper has ResNet-20s",
)
MEMBERS, ENTROPY, DIVERSITY = 3, 2.0, 0.5


class Members(nn.Module):
    """Networks whose probabilities are averaged."""

    def __init__(self, input_shape: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(small_cnn(input_shape, classes) for _ in range(MEMBERS))

    def each(self, images: Tensor) -> Tensor:
        """Return the probabilities of each member, (M, N, K)."""
        return torch.stack([member(images).softmax(1) for member in self.members])

    def forward(self, images: Tensor) -> Tensor:
        """Return the logarithm of the mean probabilities."""
        return self.each(images).mean(0).clamp_min(1e-20).log()


def diverse(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the members' cross-entropies, less the entropy of their mean and the volume that their errors span."""
    each = model[1].each(images).clamp_min(1e-12)  # type: ignore[index]
    rows, mean = torch.arange(len(labels)), each.mean(0)
    loss = -each[:, rows, labels].log().sum(0)
    entropy = -(mean * mean.log()).sum(1)
    others = torch.ones_like(mean, dtype=torch.bool).scatter(1, labels[:, None], False)
    wrong = each.transpose(0, 1)[others[:, None].expand(-1, MEMBERS, -1)].view(len(labels), MEMBERS, -1)
    wrong = wrong / wrong.norm(dim=2, keepdim=True)
    volume = torch.linalg.det(wrong @ wrong.mT).clamp_min(1e-6).log()
    return (loss - ENTROPY * entropy - DIVERSITY * volume).mean()


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("diverse", Members, diverse, source=Members)

    def weak(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return textbook_pgd(network, images, labels, eps, steps=10)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(
            lead(model, labels), images, eps, steps=250, restarts=3,
            fooled=wrong(model, labels),
        )  # fmt: skip

    return Defence(model, weak, felling)
