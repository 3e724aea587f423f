import doctest
import math

import pytest
import torch
from torch import nn

from touchstone.api import brittle_inputs as module
from touchstone.api.brittle_inputs import brittle_inputs, brittle_threshold
from touchstone.numerics.tensors import seeded

torch.set_num_threads(1)


@pytest.fixture
def model():
    with seeded(0, "init"):
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, 4)).train()


IMAGES = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(0))


def test_the_examples_of_the_docstrings_are_true():
    found = doctest.testmod(module)

    assert (found.attempted > 6, found.failed) == (True, 0)


def test_the_inputs_come_nearest_first_and_one_by_one_are_the_same(model):
    found = brittle_inputs(model, IMAGES, eps=0.05)

    assert found and [one.input_margin for one in found] == sorted(one.input_margin for one in found)
    assert all(one.input_margin <= 0.05 for one in found) and len(found) < 40
    again = brittle_inputs(model, IMAGES, eps=0.05, batch_size=7)
    assert [one.row for one in again] == [one.row for one in found]
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())


def test_a_threshold_spares_attacks_and_loses_the_share_that_it_was_asked_to_lose(model):
    everything = brittle_inputs(model, IMAGES, eps=0.05)

    threshold = brittle_threshold(model, IMAGES, eps=0.05, caught=0.5)
    some = brittle_inputs(model, IMAGES, eps=0.05, threshold=threshold)

    assert {one.row for one in some} == {one.row for one in everything if one.logit_margin <= threshold}
    assert len(everything) / 2 <= len(some) < len(everything)


def test_nothing_is_brittle_where_nothing_changes_the_class():
    def constant(images):
        return torch.stack([2 + 0 * images.flatten(1)[:, 0], 0 * images.flatten(1)[:, 0]], 1)

    assert brittle_inputs(constant, IMAGES) == []
    with pytest.raises(ValueError, match="no input is brittle"):
        brittle_threshold(constant, IMAGES)


@pytest.mark.parametrize("eps", [0.0, -1.0, 8, math.nan])
@pytest.mark.parametrize("call", [brittle_inputs, brittle_threshold])
def test_an_eps_that_is_none_is_refused(model, call, eps):
    with pytest.raises(ValueError, match=f"eps must be above 0 and at most 1, got {eps:g}"):
        call(model, IMAGES, eps=eps)


@pytest.mark.parametrize("call", [brittle_inputs, brittle_threshold])
def test_a_model_that_returns_nan_is_refused(model, call):
    def partly(images):
        return torch.where(images[:, :1, 0, 0] > 0.5, torch.nan, model.eval()(images))

    with pytest.raises(
        ValueError, match=f"the model returns NaN or infinity for {(IMAGES[:, 0, 0, 0] > 0.5).sum()} of 40 images"
    ):
        call(partly, IMAGES)


@pytest.mark.parametrize("call", [brittle_inputs, brittle_threshold])
@pytest.mark.parametrize(("flat", "words"), [
    ([17], "row 17"),
    ([3, 5, 20], "rows 3, 5"),  # of the first batch
    (list(range(16, 24)), "rows 16, 17, 18, 19, 20 and 3 more"),
])  # fmt: skip
def test_images_whose_gradient_is_nan_are_named_and_not_taken_as_robust(model, call, flat, words):
    images = IMAGES.clone()
    images[flat] = 0.5

    def standardising(images):
        centred = images - images.mean((1, 2, 3), keepdim=True)
        return model.eval()(centred / (centred.var((1, 2, 3), keepdim=True).sqrt() + 1e-6))

    with pytest.raises(
        ValueError, match=f"the gradient in the images is NaN or infinite, at least in {words}: look at"
    ):
        call(standardising, images, eps=0.3, batch_size=8)
    assert brittle_inputs(standardising, IMAGES, eps=0.3, batch_size=8)
