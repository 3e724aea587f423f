"""Kernel density and dropout: features far from those of their class, or predictions that vary under dropout.

A logistic regression on both was shown on attacks that do not know it. Carlini & Wagner put both into their loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import both, climb, lead, past, textbook_pgd
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base, mean_cross_entropy
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="density detectors",
    defence="Feinman et al. 2017 (1703.00410)",
    felled="Carlini & Wagner 2017 (1705.07263)",
    deviates="20 dropout masks that are drawn once; the width of the kernel is the median distance in a class over 4",
)
MASKS, DROPPED = 20, 0.5


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the study's small CNN with dropout before its last layer."""
    *first, last = small_cnn(input_shape, classes)  # type: ignore[misc]
    return nn.Sequential(*first, nn.Dropout(DROPPED), last)


class Doubt(nn.Module):
    """Minus the log density in the predicted class, and the variance under dropout, weighed by a logistic regression."""

    def __init__(self, network: nn.Module, base: Base) -> None:
        super().__init__()
        from sklearn.linear_model import LogisticRegression  # importing it sets variables that `racing.begin` clears

        self.network = network
        self.masks = (torch.rand(MASKS, 1, 128, generator=torch.Generator().manual_seed(0)) > DROPPED) / (1 - DROPPED)
        images, labels, _ = base.lab.fitted
        half = len(images) // 2  # an image that the density was fitted on lies in its own kernel
        self.known, self.classes, clean = self.features(images[:half]), labels[:half], images[half:]
        within = torch.cdist(self.known, self.known)[self.classes[:, None] == self.classes]
        self.width = float(within[within > 0].median()) / 4
        attacked = textbook_pgd(network, clean, labels[half:], PAPER.eps)
        read = torch.cat([self.read(clean), self.read(attacked)]).detach()
        self.mean, self.scale = read.mean(0), read.std(0).clamp_min(1e-9)
        fitted = LogisticRegression().fit((read - self.mean) / self.scale, torch.arange(len(read)) >= len(clean))
        self.weights = torch.from_numpy(fitted.coef_[0]).float()

    def features(self, images: Tensor) -> Tensor:
        """Return the input of the last layer, (N, 128)."""
        return self.network[1][:-2](self.network[0](images))  # type: ignore[index]

    def read(self, images: Tensor) -> Tensor:
        """Return both scores, (N, 2)."""
        features, last = self.features(images), self.network[1][-1]  # type: ignore[index]
        predicted = last(features).argmax(1)
        apart = torch.cdist(features, self.known).square() / self.width**2
        density = (-apart).masked_fill(predicted[:, None] != self.classes, -torch.inf).logsumexp(1)
        varied = last(features * self.masks).softmax(2).var(0).mean(1)
        return torch.stack([-density.clamp_min(-1e4), varied], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, (N,)."""
        return ((self.read(images) - self.mean) / self.scale) @ self.weights


def build(base: Base) -> Defence:
    """Return the classifier beside its detector."""
    model = base.trained("dropout", architecture, mean_cross_entropy, source=architecture)
    score = Doubt(model, base).eval()
    threshold = base.lab.threshold(score)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(model, labels, score, threshold)
        value = both(lead(model, labels), score, threshold)
        return climb(value, images, eps, steps=200, restarts=3, fooled=fooled)

    return Defence(model, textbook_pgd, felling, score=score, threshold=threshold)
