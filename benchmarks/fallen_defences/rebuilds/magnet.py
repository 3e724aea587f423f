"""MagNet: autoencoders of clean images reject what they cannot reconstruct, and reform what they can.

The second detector compares the predictions for an image and for its reconstruction. It was shown on attacks that know the
classifier alone. Carlini & Wagner attack all of it at once; theirs also works with autoencoders of their own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import both, climb, lead, past, textbook_pgd
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="abstention",
    defence="Meng & Chen 2017 (1705.09064)",
    felled="Carlini & Wagner 2017 (1711.08478)",
    deviates="the attacker knows the autoencoder; the paper draws one of several",
)
NOISE, TEMPERATURE = 0.1, 10.0


def autoencoder(input_shape: tuple[int, int, int]) -> nn.Module:
    """Return a convolutional autoencoder without a narrow layer, as the paper's."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(8, 8, 3, padding=1), nn.Sigmoid(),
        nn.Upsample(scale_factor=2), nn.Conv2d(8, 8, 3, padding=1), nn.Sigmoid(), nn.Conv2d(8, 1, 3, padding=1),
        nn.Sigmoid(),
    )  # fmt: skip


def reconstruction(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the error with which noisy images are reconstructed."""
    return functional.mse_loss(model((images + NOISE * torch.randn_like(images)).clamp(0, 1)), images)


class Anomaly(nn.Module):
    """The larger of both detectors' scores, each in units of its own threshold."""

    def __init__(self, network: nn.Module, autoencoder: nn.Module) -> None:
        super().__init__()
        self.network, self.autoencoder, self.units = network, autoencoder, torch.ones(2)

    def read(self, images: Tensor) -> Tensor:
        """Return the L1 error of reconstruction, and the divergence of the predictions, (N, 2)."""
        again = self.autoencoder(images)
        own, other = ((self.network(part) / TEMPERATURE).softmax(1).clamp_min(1e-9) for part in (images, again))
        mean = (own + other) / 2
        divergence = ((own * (own / mean).log()).sum(1) + (other * (other / mean).log()).sum(1)) / 2
        return torch.stack([(again - images).abs().flatten(1).mean(1), divergence], 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return scores, (N,)."""
        return (self.read(images) / self.units).amax(1)


def build(base: Base) -> Defence:
    """Return the reformed classifier beside its detectors."""
    plain = Base(base.lab)  # the autoencoder has seen no attack
    trained = plain.trained("autoencoder", autoencoder, reconstruction, source=autoencoder, rate=0.01)
    model, score = nn.Sequential(trained, base.network).eval(), Anomaly(base.network, trained).eval()
    score.units = torch.tensor(
        [base.lab.threshold(lambda images, one=one: score.read(images)[:, one]) for one in (0, 1)]
    )
    threshold = base.lab.threshold(score)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        fooled = past(model, labels, score, threshold)
        value = both(lead(model, labels), score, threshold, weight=3)
        return climb(value, images, eps, steps=200, restarts=3, fooled=fooled)

    return Defence(model, textbook_pgd, felling, seen=base.network, score=score, threshold=threshold)
