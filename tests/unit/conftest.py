"""A small convolutional network trained on scikit-learn's digits (8x8) in about two seconds, and linear models."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

from touchstone.numerics.tensors import RandomStreams, seeded


class Victim(NamedTuple):
    model: nn.Module
    images: Tensor
    labels: Tensor

    def draws(self, seed=0):
        return RandomStreams(seed, "attack", torch.arange(len(self.images)))

    def still_right(self, images):
        with torch.no_grad():
            return self.model(images).argmax(1) == self.labels

    def loss(self, images):
        with torch.no_grad():
            return functional.cross_entropy(self.model(images), self.labels, reduction="none")


def trained(model, images, labels, epochs, eps=0.0):
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=order).split(100):
            batch, target = images[rows], labels[rows]
            if eps:
                batch = batch.clone().requires_grad_()
                (gradient,) = torch.autograd.grad(functional.cross_entropy(model(batch), target), batch)
                batch = (batch + eps * gradient.sign()).clamp(0, 1).detach()
            optimiser.zero_grad()
            functional.cross_entropy(model(batch), target).backward()
            optimiser.step()
    return model.eval()


@pytest.fixture(scope="session")
def train():
    """The function that trains a small network on a few images, with FGSM if eps is not 0."""
    return trained


@pytest.fixture(scope="session")
def digits():
    bunch = load_digits()
    return torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16, torch.tensor(bunch.target)


@pytest.fixture(scope="session")
def victim(digits):
    """A network trained with FGSM at eps .1, so that attacks of different strength give different results."""
    images, labels = digits
    with seeded(0, "init"):
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
        )  # fmt: skip
        trained(model, images[:1400], labels[:1400], epochs=8, eps=0.1)
    rows = torch.arange(1400, 1500)
    return Victim(model, images[rows], labels[rows])


@pytest.fixture
def linear():
    """A linear softmax model with four classes on 2x3 pixels in float64, and images far from the borders of [0, 1]."""
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(6, 4).double()
    with torch.no_grad():
        layer.weight.copy_(torch.randn(4, 6, generator=generator))
        layer.bias.copy_(torch.randn(4, generator=generator))
    images = 0.4 + 0.2 * torch.rand(20, 1, 2, 3, generator=generator, dtype=torch.float64)
    labels = torch.arange(20) % 4
    return Victim(nn.Sequential(nn.Flatten(), layer), images, labels)


@pytest.fixture
def binary():
    """Logistic regression on 2x3 pixels in float64: two logits, 0 and w.x + b, so that y = +1 is class 1."""
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0, -0.25, 0.0], dtype=torch.float64)

    def model(images):
        score = images.flatten(1) @ weights - 0.6
        return torch.stack([torch.zeros_like(score), score], 1)

    images = 0.4 + 0.2 * torch.rand(16, 1, 2, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return Victim(model, images, torch.arange(16) % 2), weights
