"""The losses of a training run's batches: their sum, and the first that is not finite."""

from __future__ import annotations

import math

import torch
from torch import Tensor

READ_EVERY = 16  # batches whose losses are read together


class Losses:
    """The sum of the losses of batches, read several at a time, because Python waits for the GPU at each read.

    Args:
        rate: The learning rate, for the error message.
    """

    def __init__(self, rate: float) -> None:
        self.rate, self.sum = rate, 0.0
        self.unread: list[tuple[Tensor, int, str]] = []

    def add(self, loss: Tensor, count: int, where: str) -> None:
        """Add the mean loss of a batch of `count` examples.

        Raises:
            FloatingPointError: one of the last READ_EVERY losses is not finite.
        """
        self.unread.append((loss.detach().clone(), count, where))
        if len(self.unread) == READ_EVERY:
            self.total()

    def total(self) -> float:
        """Return the sum over all examples so far; FloatingPointError names the first loss that is not finite."""
        values = torch.stack([loss for loss, _, _ in self.unread]).tolist() if self.unread else []
        for value, (_, count, where) in zip(values, self.unread, strict=True):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"training diverged: the loss is {value} in {where}; learning_rate is {self.rate:g}"
                )
            self.sum += value * count
        self.unread = []
        return self.sum
