"""The ALOE paper's own attack: on the softmax, both ways."""

import pytest
import torch
from torch import nn

from touchstone.attacks.adversary.losses import entropy, outlier_exposure
from touchstone.attacks.softmax_transfer import softmax_transfer
from touchstone.numerics.tensors import RandomStreams

torch.set_num_threads(1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)).double()


@pytest.fixture
def images():
    return torch.rand((10, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def attacked(model, images, in_distribution, **settings):
    return softmax_transfer(
        model, images, in_distribution, RandomStreams(0, "attack", torch.arange(len(images))), **settings
    )


def test_images_in_distribution_look_less_sure_and_the_others_surer(model, images):
    flags = torch.arange(10) < 5

    found = attacked(model, images, flags, eps=0.2)

    with torch.no_grad():
        before, after = model(images), model(found)
    surer = torch.where(flags, outlier_exposure(before) - outlier_exposure(after), entropy(before) - entropy(after))
    assert bool((surer >= 0).all())
    assert int((surer > 0).sum()) >= 8


def test_a_two_class_linear_model_is_moved_to_the_corner_or_to_the_tie():
    """The logit gap moves by at most eps * ||w||_1, and stops at 0."""
    weights = torch.tensor([0.5, -1.0, 2.0, 0.25], dtype=torch.float64)
    images = torch.full((1, 1, 2, 2), 0.5, dtype=torch.float64)

    def model(x):
        gap = x.flatten(1) @ weights
        return torch.stack([torch.zeros_like(gap), gap], 1)

    surer = attacked(model, images, torch.tensor([False]), eps=0.1)
    unsure = attacked(model, images, torch.tensor([True]), eps=0.4, steps=200)

    assert float(model(surer)[0, 1]) == pytest.approx(0.5 * 1.75 + 0.1 * 3.75)
    assert float(model(unsure)[0, 1].abs()) < 0.02


def test_labels_in_place_of_in_distribution_are_refused(model, images):
    with pytest.raises(ValueError, match="expected bool"):
        attacked(model, images, torch.zeros(10, dtype=torch.int64))
