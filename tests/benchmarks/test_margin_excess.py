"""The margins race runs all of adv-lib's L-inf attacks and counts every propagation."""

import pytest
import torch

import digits_networks
import margin_excess
from adv_lib_attacks import carlini_wagner

LINEARISED = [name for name in margin_excess.CONTESTANTS if "DeepFool" in name or "trust region" in name]


@pytest.fixture(scope="module")
def linear():
    """Softmax regression and digits that it gets right."""
    model, rows = digits_networks.digits_network("linear", 16, epochs=2)
    return model, rows.right(model)


@pytest.mark.parametrize("name", LINEARISED)
def test_attacks_along_the_linear_model_reach_the_margins_of_softmax_regression(linear, name):
    model, rows = linear

    margins = margin_excess.found_by(margin_excess.CONTESTANTS[name], model, rows)

    over = margins / margin_excess.exact(model, rows.images, rows.labels) - 1
    assert over.min() > -1e-4 and over.median() < 0.05
    assert not rows.images.requires_grad


def test_carlini_and_wagner_is_raced_with_other_settings_than_its_own(linear):
    model, rows = linear
    (name,) = (name for name in margin_excess.CONTESTANTS if "Carlini" in name)

    margins = margin_excess.found_by(margin_excess.CONTESTANTS[name], model, rows.take(torch.arange(4)))

    assert margins.isfinite().all()
    with pytest.raises(ValueError, match="norm 2, expected inf"):
        carlini_wagner(model, rows.images, rows.labels, norm=2)


def test_three_ways_back_through_one_forward_pass_are_three():
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3))
    images = torch.rand(5, 1, 2, 2, requires_grad=True)

    with margin_excess.ways_back(model) as back:
        logits = model(images)
        for column in logits.T:
            torch.autograd.grad(column.sum(), images, retain_graph=True)
        with torch.no_grad():
            model(images)

    assert back == [5, 5, 5]
    torch.autograd.grad(model(images).sum(), images)
    assert back == [5, 5, 5]  # and none after the block
