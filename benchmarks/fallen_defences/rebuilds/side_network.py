"""A side network: a small detector reads the classifier's second layer, and learns to tell attacked from clean images.

It was shown on attacks that do not know it. Carlini & Wagner put its loss into theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fallen_defences.attacks import both, climb, lead, past, textbook_pgd
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import TRAINED_AT, Base
from touchstone.attacks.adversary.losses import cross_entropy

PAPER = Paper(
    mechanism="supervised detectors",
    defence="Metzen et al. 2017 (1702.04267)",
    felled="Carlini & Wagner 2017 (1705.07263)",
    deviates="trained on images of a fixed attacker; the paper also has a dynamic one",
)
DEPTH = 4  # layers of the classifier before the detector


class Side(nn.Module):
    """A detector of two logits, clean and attacked, of what the first layers of a network return."""

    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.read = read  # no submodule: the classifier is not trained
        self.detect = nn.Sequential(
            nn.Conv2d(32, 32, 3, padding=1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(32 * 49, 64),
            nn.ReLU(),
            nn.Linear(64, 2),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the two logits."""
        return self.detect(self.read(images))


def build(base: Base) -> Defence:
    """Return the classifier beside its detector."""
    normalise, layers = base.network
    first = nn.Sequential(normalise, *layers[:DEPTH])

    def told_apart(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        attacked = textbook_pgd(base.network, images, labels, TRAINED_AT, steps=10)
        both_kinds = torch.cat([images, attacked])
        return cross_entropy(model(both_kinds), (torch.arange(len(both_kinds)) >= len(images)).long()).mean()

    side = Base(base.lab).trained(
        f"side_of_{base.kind}", lambda input_shape, classes: Side(first.forward), told_apart, source=Side
    )

    def score(images: Tensor) -> Tensor:
        clean, attacked = side(images).unbind(1)
        return attacked - clean

    threshold = base.lab.threshold(score)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(base.network, labels, score, threshold)
        value = both(lead(base.network, labels), score, threshold)
        return climb(value, images, eps, steps=200, restarts=3, fooled=fooled)

    return Defence(base.network, textbook_pgd, felling, score=score, threshold=threshold)
