"""A small convolutional network trained on scikit-learn's digits (8x8), and a linear classifier of them."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from touchstone.numerics.tensors import Normalise, RandomStreams, seeded

torch.set_num_threads(1)


def train(model, images, labels, epochs):
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    order = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for rows in torch.randperm(len(images), generator=order).split(100):
            optimiser.zero_grad()
            functional.cross_entropy(model(images[rows]), labels[rows]).backward()
            optimiser.step()
    return model.eval()


@pytest.fixture(scope="session")
def digits():
    bunch = load_digits()
    return torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16, torch.tensor(bunch.target)


@pytest.fixture(scope="session")
def linear_net(digits):
    images, labels = digits
    with seeded(0, "init"):
        model = nn.Sequential(Normalise([0.3], [0.4]), nn.Flatten(), nn.Linear(64, 10))
        return train(model, images[:1400], labels[:1400], epochs=10)


@pytest.fixture(scope="session")
def cnn(digits):
    images, labels = digits
    with seeded(0, "init"):
        model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 10),
        )  # fmt: skip
        return train(model, images[:1400], labels[:1400], epochs=8)


@pytest.fixture
def images(digits):
    return digits[0][1400:1500]


@pytest.fixture
def draws():
    return RandomStreams(0, "attack", torch.arange(100))
