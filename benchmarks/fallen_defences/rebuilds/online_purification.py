"""SOAP: before an image is classified, gradient steps lower the error with which the network reconstructs it.

It was shown against attacks that do not know of the steps. Croce et al. follow gradients through them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base
from touchstone.models.small_cnn import small_cnn

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
        *first, self.head = small_cnn((1, 28, 28), classes)  # type: ignore[misc]
        self.encode = nn.Sequential(*first)
        self.decode = nn.Sequential(nn.Linear(128, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, without purification."""
        return self.head(self.encode(images))

    def error(self, noisy: Tensor, images: Tensor) -> Tensor:
        """Return the mean squared error of reconstruction."""
        return (self.decode(self.encode(noisy)) - images).square().mean()


class Purified(nn.Module):
    """The network behind its purifier, whose steps are signs, or smooth so that gradients can be followed through them."""

    def __init__(self, network: nn.Module, smooth: bool = False) -> None:
        super().__init__()
        self.network, self.smooth = network, smooth

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits after steps down the error."""
        change = torch.zeros_like(images)
        for _ in range(STEPS):
            with torch.enable_grad():
                moved = images + change if self.smooth else (images + change).detach().requires_grad_()
                (gradient,) = torch.autograd.grad(self.network[1].error(moved, moved), moved, create_graph=self.smooth)
            step = gradient / (gradient.abs() + self.smooth * gradient.abs().mean()).clamp_min(1e-20)
            change = (change - 2 * PURIFIED_BY / STEPS * step).clamp(-PURIFIED_BY, PURIFIED_BY)
        return self.network((images + change).clamp(0, 1))


def joint_loss(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return cross-entropy and the error with which noisy images are reconstructed."""
    error = model[1].error(images + NOISE * torch.randn_like(images), images)  # type: ignore[index,operator]
    return functional.cross_entropy(model(images), labels) + WEIGHT * error


def build(base: Base) -> Defence:
    """Return the defence."""
    network = base.trained("soap", lambda input_shape, classes: Reconstructing(classes), joint_loss, Reconstructing)
    model, smooth = Purified(network).eval(), Purified(network, smooth=True).eval()

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(smooth, labels), images, eps, restarts=2, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling, seen=network, share=5)
