"""Feature squeezing: an image is rejected if the prediction moves when grey levels are few, or pixels become medians.

It was shown on minimal attacks that do not know it. He et al. attack classifier, squeezed classifiers and distance at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import both, climb, deepfool, lead, past
from fallen_defences.defence import Defence, Hidden, Paper, stand_ins
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="supervised detectors",
    defence="Xu, Evans & Qi 2018 (1704.01155)",
    felled="He et al. 2017 (1706.04701)",
    deviates="8 grey levels, as clothes have shades; the paper takes 2 on MNIST. Minimal attacks are L-inf",
)
LEVELS = 8


class FewLevels(Hidden):
    """Fewer grey levels."""

    def hard(self, values: Tensor) -> Tensor:
        """Return the nearest of the levels."""
        return (values * (LEVELS - 1)).round() / (LEVELS - 1)


class Median(nn.Module):
    """The median of each pixel and those around it."""

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape."""
        windows = functional.unfold(functional.pad(images, (1, 1, 1, 1), mode="reflect"), 3)
        return windows.median(1).values.view_as(images)


class Squeezed(nn.Module):
    """The largest L1 distance between the probabilities of an image and of its squeezed versions."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.squeezers = network, nn.ModuleList([FewLevels(), Median()])

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, (N,)."""
        plain = self.network(images).softmax(1)
        moved = [(self.network(squeeze(images)).softmax(1) - plain).abs().sum(1) for squeeze in self.squeezers]
        return torch.stack(moved).amax(0)


def build(base: Base) -> Defence:
    """Return the classifier beside its detector."""
    model, score = base.network, Squeezed(base.network).eval()
    threshold = base.lab.threshold(score)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(model, labels, score, threshold)

        def wrong_everywhere(moved: Tensor) -> Tensor:
            leads = [lead(model, labels)(version) for version in (moved, *(each(moved) for each in score.squeezers))]
            return torch.stack(leads).amin(0)

        with stand_ins(score):
            value = both(wrong_everywhere, score, threshold, sure=5)
            return climb(value, images, eps, steps=200, restarts=3, fooled=fooled)

    return Defence(model, deepfool, felling, score=score, threshold=threshold)
