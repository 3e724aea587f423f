"""The odds are odd: under noise, the logits of attacked images move back towards the true class.

For each predicted and each other class, the mean move of their difference is compared with that of clean images; an image
is rejected if one of them is too large. Tramer et al. copy the logits of a clean image of another class, noise included;
here after an attack on class and score at once.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import both, climb, lead, past, textbook_pgd
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="abstention",
    defence="Roth, Kilcher & Hofmann 2019 (1902.04818)",
    felled="Tramer et al. 2020 (2002.08347); Hosseini et al. 2019 (1907.12138)",
    deviates="16 noises that are drawn once; it rejects, and does not correct predictions",
)
NOISES, SPREAD = 16, 0.1


class Odds(nn.Module):
    """The largest standardised move of a difference of logits under noise."""

    def __init__(self, network: nn.Module, base: Base) -> None:
        super().__init__()
        self.network = network
        noise = torch.randn(NOISES, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        self.noises = SPREAD * noise
        images, labels, _ = base.lab.fitted
        with torch.no_grad():
            moves = self.moves(images)
        classes = [moves[labels == label] for label in range(moves.shape[1])]
        self.mean = torch.stack([rows.mean(0) for rows in classes])
        self.scale = torch.stack([rows.std(0) for rows in classes]).clamp_min(1e-3)

    def noisy(self, images: Tensor) -> Tensor:
        """Return the mean logits under noise, (N, K)."""
        many = (images[:, None] + self.noises).flatten(0, 1)
        return self.network(many).view(len(images), NOISES, -1).mean(1)

    def moves(self, images: Tensor) -> Tensor:
        """Return by how much noise raises each logit over that of the prediction, (N, K)."""
        logits = self.network(images)
        change = self.noisy(images) - logits
        return change - change.gather(1, logits.argmax(1)[:, None])

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, (N,)."""
        predicted = self.network(images).argmax(1)
        unusual = (self.moves(images) - self.mean[predicted]) / self.scale[predicted]
        return unusual.scatter(1, predicted[:, None], -torch.inf).amax(1)


def build(base: Base) -> Defence:
    """Return the classifier beside its detector."""
    model, score = base.network, Odds(base.network, base).eval()
    threshold = base.lab.threshold(score)
    sources, source_labels, _ = base.lab.fitted

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(model, labels, score, threshold)
        likeliest = model(images).scatter(1, labels[:, None], -torch.inf).argsort(1, descending=True)
        best = climb(both(lead(model, labels), score, threshold), images, eps, fooled=fooled)
        for target in likeliest[:, :2].unbind(1):
            rows = torch.stack([torch.nonzero(source_labels == label)[0, 0] for label in target])
            wanted, wanted_noisy = model(sources[rows]), score.noisy(sources[rows])

            def close(moved: Tensor, wanted: Tensor = wanted, noisy: Tensor = wanted_noisy) -> Tensor:
                return -(model(moved) - wanted).square().sum(1) - (score.noisy(moved) - noisy).square().sum(1)

            found = climb(close, images, eps, steps=100, fooled=fooled)
            best = torch.where(fooled(found)[:, None, None, None], found, best)
        return best

    return Defence(model, textbook_pgd, felling, score=score, threshold=threshold, share=5)
