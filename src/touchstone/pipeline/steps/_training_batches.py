"""The batches of `train`: images with their random streams, and outliers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams, per_row
from touchstone.records.nouns import ContractError, ExampleSet


@dataclass(frozen=True)
class Augmentation:
    """How training images change from epoch to epoch: shifted by up to `crop` pixels, and mirrored half of the time."""

    crop: int = 0
    flip: bool = False

    def __call__(self, images: Tensor, generator: RandomStreams) -> Tensor:
        """Return each image cropped from its zero-padded self, and mirrored left to right or not, (N, C, H, W)."""
        if self.crop:
            height, width = images.shape[-2:]
            padded = functional.pad(images, (self.crop,) * 4)
            corners = generator.integers(2 * self.crop + 1, (2,))
            rows = corners[:, :1] + torch.arange(height, device=images.device)
            columns = corners[:, 1:] + torch.arange(width, device=images.device)
            places = torch.arange(len(images), device=images.device)[:, None, None]
            images = padded.movedim(1, -1)[places, rows[:, :, None], columns[:, None]].movedim(-1, 1).contiguous()
        if self.flip:
            images = torch.where(per_row(generator.signs(()) > 0, images), images.flip(-1), images)
        return images


UNCHANGED = Augmentation()
MOST_NUMBERS = 2**28  # of images that stay on the device; 1 GiB in float32, and all of CIFAR-10 is 0.6


def batches_of(count: int, size: int) -> int:
    """Return in how many batches `Batches.shuffled` yields rows."""
    return max(math.ceil((count - 1) / size), 1) if size > 1 else count


class Batches:
    """The rows of one ExampleSet as batches on the device, each with the random streams of its examples.

    Images that fit are copied to the device once, because Python waits for each copy to a GPU.
    """

    def __init__(
        self, examples: ExampleSet, seed: int, stream: str, device: str, augment: Augmentation = UNCHANGED
    ) -> None:
        self.augment = augment
        self.images = _near(torch.tensor(examples.images), device)
        self.labels = torch.tensor(examples.labels, device=device)
        self.ids = torch.tensor(examples.example_ids, device=device)
        self.seed, self.stream, self.device = seed, stream, device

    def shuffled(self, epoch: int, size: int) -> Iterator[Tensor]:
        """Yield the rows of each batch of an epoch, in the epoch's random order.

        A last row that is alone joins the batch before it: batch norm has no variance of one image.
        """
        order = _permutation(self.seed, f"order.{epoch}", len(self.ids)).to(self.device)
        sizes = [size] * (batches_of(len(order), size) - 1)
        yield from torch.split(order, [*sizes, len(order) - sum(sizes)])

    def in_order(self, size: int) -> Iterator[Tensor]:
        """Yield the rows of each batch as they come."""
        yield from torch.split(torch.arange(len(self.ids), device=self.device), size)

    def batch(self, rows: Tensor, epoch: int) -> tuple[Tensor, Tensor, RandomStreams]:
        """Return images, labels and random streams of some rows, on the device."""
        ids = self.ids[rows]
        views = RandomStreams(self.seed, f"augment.{epoch}", ids)
        draws = RandomStreams(self.seed, f"{self.stream}.{epoch}", ids)
        return self.augment(_rows(self.images, rows), views), self.labels[rows], draws


class Outliers:
    """All outlier sets as one sequence of batches, in a new random order each epoch; it repeats when it ends.

    If an outlier is repeated within an epoch, it is cropped and flipped anew, and its attack starts from another point.
    """

    def __init__(
        self,
        sets: Sequence[ExampleSet],
        shape: tuple[int, ...],
        size: int,
        seed: int,
        device: str,
        augment: Augmentation = UNCHANGED,
    ) -> None:
        self.augment = augment
        for one in sets:
            if one.images.shape[1:] != shape:
                raise ContractError(f"outliers {one.source} are {one.images.shape[1:]}, training images {shape}")
        self.images = _near(torch.tensor(np.concatenate([one.images for one in sets])), device)
        # Ids are rows of their own source: sets differ from bit 40 on, and the turns of an epoch from bit 48 on.
        ids = [one.example_ids + (position << 40) for position, one in enumerate(sets)]
        self.ids = torch.tensor(np.concatenate(ids), device=device)
        self.size, self.seed, self.device = size, seed, device
        self.epoch, self.order = -1, torch.arange(0, device=device)

    def batch(self, epoch: int | None, index: int) -> dict[str, Any]:
        """Return the inputs of an objective for one batch; epoch None is validation, in the order given."""
        count = len(self.ids)
        position = index * self.size + torch.arange(self.size, device=self.device)  # since the start of the epoch
        places, turns = position % count, position // count
        if epoch is not None and epoch != self.epoch:
            self.epoch, self.order = epoch, _permutation(self.seed, f"outlier_order.{epoch}", count).to(self.device)
        rows = places if epoch is None else self.order[places]
        ids, outliers = self.ids[rows] + (turns << 48), _rows(self.images, rows)
        if epoch is not None:
            outliers = self.augment(outliers, RandomStreams(self.seed, f"outlier_augment.{epoch}", ids))
        return {"outliers": outliers, "outlier_generator": RandomStreams(self.seed, f"outlier_attack.{epoch}", ids)}


def _near(images: Tensor, device: str) -> Tensor:
    """Return the images on the device; if they would take too much of its memory, return them where they are."""
    return images.to(device) if images.numel() <= MOST_NUMBERS else images


def _rows(images: Tensor, rows: Tensor) -> Tensor:
    """Return some images on the device of the row numbers."""
    return images[rows.to(images.device)].to(rows.device)


def _permutation(seed: int, stream: str, count: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(tensors.derive(seed, stream)))
