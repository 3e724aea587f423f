"""Outliers that are fewer than an epoch takes: what repeats, and what does not."""

import numpy as np
import pytest
import torch

from touchstone.numerics.tensors import RandomStreams
from touchstone.pipeline.steps._training_batches import Augmentation, Outliers
from touchstone.records.nouns import ExampleSet

IMAGES = np.random.default_rng(0).random((10, 1, 6, 6), dtype=np.float32) + 0.1
SET = ExampleSet(IMAGES.clip(0, 1), np.full(10, -1), np.arange(10) * 3, "others")


def presented(epoch, size=15, batches=4, augment=None):
    """Return the images of some batches, and the start that each one's attack would draw."""
    outliers = Outliers([SET], (1, 6, 6), size, 0, "cpu", augment or Augmentation())
    given = [outliers.batch(epoch, index) for index in range(batches)]
    images = torch.cat([batch["outliers"] for batch in given])
    return images, torch.cat([batch["outlier_generator"].uniform((36,)) for batch in given])


@pytest.mark.parametrize("epoch", [0, 1, None])
def test_each_repetition_within_an_epoch_draws_its_own_attack_start(epoch):
    images, starts = presented(epoch)

    assert len(images.unique(dim=0)) == 10
    assert len(starts.unique(dim=0)) == 60


def test_each_repetition_within_an_epoch_draws_its_own_view():
    images, _ = presented(0, augment=Augmentation(crop=3, flip=True))

    assert len(images.unique(dim=0)) > 40  # of 60; 10 different ones if repetitions shared a view


def test_the_first_time_an_outlier_draws_by_its_own_id():
    images, starts = presented(0, size=10, batches=1)

    order = [int((torch.tensor(SET.images) == image).flatten(1).all(1).nonzero()) for image in images]
    assert torch.equal(starts, RandomStreams(0, "outlier_attack.0", 3 * torch.tensor(order)).uniform((36,)))


def test_the_draws_depend_on_the_epoch_and_not_on_the_size_of_batches():
    (images, starts), (again, same_starts), (_, others) = presented(0), presented(0, 20, 3), presented(1)

    assert torch.equal(images, again) and torch.equal(starts, same_starts)
    assert not set(starts[:, 0].tolist()) & set(others[:, 0].tolist())


def test_validation_draws_the_same_each_time():
    assert all(torch.equal(first, again) for first, again in zip(presented(None), presented(None), strict=True))
