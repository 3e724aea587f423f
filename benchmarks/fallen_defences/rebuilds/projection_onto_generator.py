"""Defense-GAN: an image is replaced by the nearest one that a generator can make, and that one is classified.

It is searched by gradient steps on the generator's code. Athalye et al. take the search for the identity going backward.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, lead, slope, textbook_pgd, wrong
from fallen_defences.defence import Defence, Hidden, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="unrolled",
    defence="Samangouei, Kabkab & Chellappa 2018 (1805.06605)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="the decoder of a small variational autoencoder, no GAN; 25 steps from 2 fixed starts, not 200 from 10",
)
CODE, STEPS, STARTS, RATE, MOMENTUM = 24, 25, 2, 0.02, 0.7


class Autoencoder(nn.Module):
    """A small variational autoencoder."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 2 * CODE))
        pixels = (nn.Linear(256, 784), nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28)))
        self.decode = nn.Sequential(nn.Linear(CODE, 256), nn.ReLU(), *pixels)

    def forward(self, images: Tensor) -> Tensor:
        """Return reconstructed images."""
        return self.decode(self.encode(images)[:, :CODE])


def evidence_bound(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the error of reconstruction and the divergence of the codes from a normal distribution."""
    mean, log_variance = model[1].encode(images).chunk(2, 1)  # type: ignore[index]
    decoded = model[1].decode(mean + (log_variance / 2).exp() * torch.randn_like(mean))  # type: ignore[index]
    divergence = (mean.square() + log_variance.exp() - log_variance - 1).sum(1) / 2
    return functional.mse_loss(decoded, images) * 784 * 5 + divergence.mean()


class Projected(Hidden):
    """The nearest image that the generator can make."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("starts", torch.randn(STARTS, CODE, generator=torch.Generator().manual_seed(0)))

    def hard(self, values: Tensor) -> Tensor:
        """Return the best of all starts."""
        found = [self.search(values.detach(), start.expand(len(values), -1)) for start in self.starts]
        errors = torch.stack([(image - values).square().flatten(1).sum(1) for image in found])
        return torch.stack(found)[errors.argmin(0), torch.arange(len(values))].detach()

    def search(self, images: Tensor, code: Tensor) -> Tensor:
        """Return what gradient steps with momentum end at."""
        speed, code = torch.zeros_like(code), code.clone()
        for _ in range(STEPS):
            gradient = slope(lambda moved: (self.generator(moved) - images).square().flatten(1).sum(1), code)
            speed = MOMENTUM * speed + RATE * gradient
            code -= speed
        return self.generator(code)


def build(base: Base) -> Defence:
    """Return the defence."""
    plain = Base(base.lab)  # the generator has seen no attack
    pair = plain.trained("generator", lambda input_shape: Autoencoder(), evidence_bound, source=Autoencoder)
    model = nn.Sequential(Projected(pair[1].decode), base.network).eval()  # type: ignore[index]

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling, seen=base.network, share=10)
