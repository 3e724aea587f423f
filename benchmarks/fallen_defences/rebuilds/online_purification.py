"""SOAP: before an image is classified, gradient steps lower the error with which the network reconstructs it.

It was shown against attacks that do not know of the steps. Croce et al. follow the gradient through them: the identity's.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="unrolled",
    defence="Shi, Holtz & Mishne 2021 (2101.09387), data reconstruction",
    felled="Croce et al. 2022 (2202.13711)",
    deviates="the radius of the purifier is fixed; the paper picks the one with the least error for each image",
)
PURIFIED_BY, STEPS = 0.1, 5
NOISE, WEIGHT = 0.2, 10.0  # of the pixels that it learns to reconstruct, and of that loss


class Reconstructing(nn.Module):
    """A CNN whose hidden layer also feeds a decoder."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.encode = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(128, classes)
        self.decode = nn.Sequential(nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, without purification."""
        return self.head(self.encode(images))

    def error(self, images: Tensor) -> Tensor:
        """Return the mean squared error of reconstruction, (N,)."""
        return (self.decode(self.encode(images)) - images).square().flatten(1).mean(1)


class Purified(nn.Module):
    """The network behind its purifier."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the purified images."""
        change = torch.zeros_like(images)
        for _ in range(STEPS):
            with torch.enable_grad():
                moved = (images + change).detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self.network[1].error(moved).sum(), moved)
            change = (change - 2 * PURIFIED_BY / STEPS * gradient.sign()).clamp(-PURIFIED_BY, PURIFIED_BY)
        return self.network((images + change).clamp(0, 1))


def joint_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return cross-entropy and the error with which noisy images are reconstructed."""
    noisy = images + NOISE * torch.randn_like(images)
    wrong = (model[1].decode(model[1].encode(noisy)) - images).square().mean()  # type: ignore[index]
    return functional.cross_entropy(model(images), labels) + WEIGHT * wrong


def build(base: Base) -> Defence:
    """Return the defence."""
    network = base.trained("soap", lambda input_shape, classes: Reconstructing(classes), joint_loss, Reconstructing)
    model = Purified(network).eval()

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=2, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling, seen=network, share=2)
