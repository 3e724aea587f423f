"""How often Python waits for the device in training, and what it reads in between."""

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

import gpu_subjects
from touchstone.models.mlp import mlp
from touchstone.pipeline.steps import _training_batches
from touchstone.pipeline.steps._training_batches import Augmentation, Batches, Outliers
from touchstone.pipeline.steps._training_losses import READ_EVERY, Losses
from touchstone.pipeline.steps.train import train
from touchstone.records.nouns import ExampleSet
from touchstone.training.clean import clean

torch.set_num_threads(1)
IMAGES = np.random.default_rng(0).random((96, 1, 4, 4), dtype=np.float32)
EXAMPLES = ExampleSet(IMAGES, np.arange(96) % 3, np.arange(96), "random")


def waits(batch_size):
    with gpu_subjects.Counting("cpu") as count:
        train(
            EXAMPLES,
            EXAMPLES,
            architecture=partial(mlp, hidden=[4]),
            architecture_settings={},
            objective=clean,
            optimizer="sgd",  # Adam counts its steps on the CPU
            epochs=1,
            batch_size=batch_size,
        )
    return count.waits


def test_training_does_not_wait_for_each_batch():
    assert waits(batch_size=2) <= waits(batch_size=48) + 2 * 48 / READ_EVERY


def copies(batch_size):
    """Return the copies to another device in an epoch."""
    data = Batches(EXAMPLES, 0, "attack", "meta", Augmentation(crop=1))
    others = Outliers([EXAMPLES], (1, 4, 4), 8, 0, "meta")
    with gpu_subjects.Counting("meta") as count:
        for index, rows in enumerate(data.shuffled(0, batch_size)):
            data.batch(rows, 0)
            others.batch(0, index)
    return count.waits


def test_images_that_fit_the_device_are_copied_to_it_once(monkeypatch):
    assert copies(2) == copies(48)

    monkeypatch.setattr(_training_batches, "MOST_NUMBERS", IMAGES.size - 1)
    data = Batches(EXAMPLES, 0, "attack", "meta")
    assert data.images.device.type == "cpu" and data.batch(torch.arange(3), 0)[0].shape == (3, 1, 4, 4)


def test_losses_are_summed_over_examples_and_are_those_of_their_time():
    weight = nn.Parameter(torch.zeros(()))
    losses = Losses(0.1)
    for batch in range(2 * READ_EVERY + 3):
        losses.add(weight, 2, f"batch {batch}")
        weight.data += 1

    assert losses.total() == sum(2 * batch for batch in range(2 * READ_EVERY + 3)) == losses.total()


def test_the_first_loss_that_is_not_finite_is_named_though_it_is_read_later():
    losses = Losses(0.1)
    losses.add(torch.tensor(1.0), 2, "batch 1")
    losses.add(torch.tensor(torch.inf), 2, "batch 2")
    losses.add(torch.tensor(torch.nan), 2, "batch 3")

    with pytest.raises(FloatingPointError, match=r"loss is inf in batch 2; learning_rate is 0.1"):
        losses.total()


def test_a_loss_that_is_not_finite_ends_training_within_a_few_batches():
    losses = Losses(0.1)

    with pytest.raises(FloatingPointError):
        for _ in range(READ_EVERY):
            losses.add(torch.tensor(torch.nan), 2, "batch")
