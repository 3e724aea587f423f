"""Local intrinsic dimensionality (LID) of every layer, by a logistic regression: it is higher around attacked images.

It was shown on attacks of one kind at a time, that do not know it. Athalye et al. ignore the detector and take images of
which the network is very sure; where that is not enough, the score goes into the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import both, climb, fgsm, lead, past
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="density detectors",
    defence="Ma et al. 2018 (1801.02613)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="distances to 100 fixed clean images; in the paper to the batch of each image",
)
NEIGHBOURS, REFERENCES = 20, 100


class Dimensionality(nn.Module):
    """The LID of each layer's activations, weighed by a logistic regression."""

    def __init__(self, network: nn.Module, base: Base) -> None:
        super().__init__()
        from sklearn.linear_model import LogisticRegression  # importing it sets variables that `racing.begin` clears

        self.network = network
        images, labels, _ = base.lab.fitted
        self.references = [part.detach() for part in self.layers(images[:REFERENCES])]
        clean, clean_labels = images[REFERENCES:], labels[REFERENCES:]
        noisy = (clean + PAPER.eps / 4 * torch.randn_like(clean)).clamp(0, 1)
        attacked = fgsm(network, clean, clean_labels, PAPER.eps)
        read = torch.cat([self.read(part) for part in (clean, noisy, attacked)]).detach()
        self.mean, self.scale = read.mean(0), read.std(0).clamp_min(1e-9)
        kind = torch.arange(len(read)) >= 2 * len(clean)
        fitted = LogisticRegression(class_weight="balanced").fit((read - self.mean) / self.scale, kind)
        self.weights = torch.from_numpy(fitted.coef_[0]).float()

    def layers(self, images: Tensor) -> list[Tensor]:
        """Return the activations of every ReLU, and the logits."""
        values, found = self.network[0](images), []  # type: ignore[index]
        for layer in self.network[1]:  # type: ignore[index]
            values = layer(values)
            if isinstance(layer, nn.ReLU):
                found.append(values.flatten(1))
        return [*found, values]

    def read(self, images: Tensor) -> Tensor:
        """Return the LID of each layer by maximum likelihood, (N, L)."""
        found = []
        for values, reference in zip(self.layers(images), self.references, strict=True):
            apart = torch.cdist(values, reference).topk(NEIGHBOURS, largest=False).values.clamp_min(1e-6)
            found.append(-1 / (apart / apart[:, -1:]).log().mean(1).clamp(max=-1e-6))
        return torch.stack(found, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, (N,)."""
        return ((self.read(images) - self.mean) / self.scale) @ self.weights


def build(base: Base) -> Defence:
    """Return the classifier beside its detector."""
    model = base.network
    score = Dimensionality(model, base).eval()
    threshold = base.lab.threshold(score)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(model, labels, score, threshold)
        sure = climb(lead(model, labels), images, eps, restarts=2, fooled=fooled)
        with_score = climb(both(lead(model, labels), score, threshold), images, eps, fooled=fooled)
        return torch.where(fooled(sure)[:, None, None, None], sure, with_score)

    return Defence(model, fgsm, felling, score=score, threshold=threshold)
