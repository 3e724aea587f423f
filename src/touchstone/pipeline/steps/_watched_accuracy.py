"""Accuracy after each epoch of training: clean, under the attack of the training, and under more steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from touchstone.contracts import Attack
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import ExampleSet


class WatchedAccuracy:
    """Measures accuracy on the same images after each epoch. It changes nothing about the training.

    Args:
        examples: the images, the first `count` of them.
        count: how many images; 0 measures nothing.
        attacks: the attacks, by the name of the curve. They draw the same in every epoch, so epochs compare.
        seed: of the training.
        device: what to compute on.
    """

    def __init__(self, examples: ExampleSet, count: int, attacks: Mapping[str, Attack], seed: int, device: str) -> None:
        self.attacks = attacks if count else {}
        self.seed = seed
        self.images = torch.tensor(examples.images[:count], device=device)
        self.labels = torch.tensor(examples.labels[:count], device=device)
        self.ids = torch.tensor(examples.example_ids[:count], device=device)

    @property
    def curves(self) -> list[str]:
        """The names of what is measured; none without attacks."""
        return ["watched_accuracy", *(f"{name}_accuracy" for name in self.attacks)] if self.attacks else []

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Return the accuracy on clean images and under each attack, by the name of its curve."""
        if not self.attacks:
            return {}
        with tensors.seeded(self.seed, "watched"), tensors.frozen(model):
            attacked = [
                attack(model, self.images, self.labels, RandomStreams(self.seed, f"watched.{name}", self.ids))
                for name, attack in self.attacks.items()
            ]
            shares = [
                int((model(images).argmax(1) == self.labels).sum()) / len(images) for images in (self.images, *attacked)
            ]
        return dict(zip(self.curves, shares, strict=True))
