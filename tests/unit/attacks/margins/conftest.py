"""A small convolutional network trained on scikit-learn's digits (8x8), and a linear classifier of them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from touchstone.numerics.tensors import Normalise, RandomStreams, seeded


@pytest.fixture(scope="session")
def linear_net(digits, train):
    images, labels = digits
    with seeded(0, "init"):
        model = nn.Sequential(Normalise([0.3], [0.4]), nn.Flatten(), nn.Linear(64, 10))
        return train(model, images[:1400], labels[:1400], epochs=10)


@pytest.fixture(scope="session")
def cnn(digits, train):
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
