"""What `train` sees: batches of images with their random streams, and of outliers beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import ContractError, ExampleSet


class Batches:
    """The rows of one ExampleSet as batches on the device, each with the random streams of its examples."""

    def __init__(self, examples: ExampleSet, seed: int, stream: str, device: str) -> None:
        self.images = torch.tensor(examples.images)
        self.labels = torch.tensor(examples.labels)
        self.ids = torch.tensor(examples.example_ids)
        self.seed, self.stream, self.device = seed, stream, device

    def shuffled(self, epoch: int, size: int) -> Iterator[Tensor]:
        """Yield the rows of each batch of an epoch, in the epoch's random order."""
        yield from torch.split(_permutation(self.seed, f"order.{epoch}", len(self.ids)), size)

    def in_order(self, size: int) -> Iterator[Tensor]:
        """Yield the rows of each batch as they come."""
        yield from torch.split(torch.arange(len(self.ids)), size)

    def batch(self, rows: Tensor, epoch: int) -> tuple[Tensor, Tensor, RandomStreams]:
        """Return images, labels and random streams of some rows, on the device."""
        draws = RandomStreams(self.seed, f"{self.stream}.{epoch}", self.ids[rows].to(self.device))
        return self.images[rows].to(self.device), self.labels[rows].to(self.device), draws


class Outliers:
    """All outlier sets as one, in the order of each epoch; batch after batch, from the start again at the end."""

    def __init__(self, sets: Sequence[ExampleSet], shape: tuple[int, ...], size: int, seed: int, device: str) -> None:
        for one in sets:
            if one.images.shape[1:] != shape:
                raise ContractError(f"outliers {one.source} are {one.images.shape[1:]}, training images {shape}")
        self.images = torch.tensor(np.concatenate([one.images for one in sets]))
        # Ids are rows of their own source: sets are told apart by the high bits.
        ids = [one.example_ids + (position << 40) for position, one in enumerate(sets)]
        self.ids = torch.tensor(np.concatenate(ids))
        self.size, self.seed, self.device = size, seed, device
        self.epoch, self.order = -1, torch.arange(0)

    def batch(self, epoch: int | None, index: int) -> dict[str, Any]:
        """Return the inputs of an objective for one batch; epoch None is validation, in the order given."""
        count = len(self.ids)
        places = (index * self.size + torch.arange(self.size)) % count
        if epoch is not None and epoch != self.epoch:
            self.epoch, self.order = epoch, _permutation(self.seed, f"outlier_order.{epoch}", count)
        rows = places if epoch is None else self.order[places]
        draws = RandomStreams(self.seed, f"outlier_attack.{epoch}", self.ids[rows].to(self.device))
        return {"outliers": self.images[rows].to(self.device), "outlier_generator": draws}


def _permutation(seed: int, stream: str, count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(tensors.derive(seed, stream)))
