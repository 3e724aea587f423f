"""MMA training against a linear network of two classes, whose margins are known: |w.x + b| / ||w||_1 away from the box."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.clean import clean
from touchstone.training.mma import mma, nearest_points, soft_logit_margin

torch.set_num_threads(1)

IMAGES = 0.4 + 0.2 * torch.rand(40, 1, 2, 2, generator=torch.Generator().manual_seed(0))


def draws(count=40):
    return RandomStreams(0, "attack", torch.arange(count))


def two_classes(weights=(3.0, -2.0, 1.0, -4.0), bias=0.9):
    """The logits (0, w.x + b): class 1 where w.x + b > 0."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([torch.zeros(4), torch.tensor(weights)]))
        model[1].bias.copy_(torch.tensor([0.0, bias]))
    return model


def margins_of(model, images=IMAGES):
    """The exact margins: the lead of the greater logit over the L1 norm of the difference of weights."""
    with torch.no_grad():
        weights = model[1].weight[1] - model[1].weight[0]
        logits = model(images)
        return (logits[:, 1] - logits[:, 0]).abs() / weights.abs().sum()


def predictions(model):
    with torch.no_grad():
        return model(IMAGES).argmax(1)


def test_the_nearest_point_of_a_linear_network_is_at_its_exact_margin():
    model = two_classes()
    labels = predictions(model)

    with tensors.frozen(model), torch.no_grad():
        found, points = nearest_points(model, IMAGES, labels, draws(), farthest=0.3, steps=10, bisections=14)

    exact = margins_of(model)
    assert exact.min() > 0 and exact.max() < 0.2
    torch.testing.assert_close(found, exact, atol=1e-4, rtol=0)
    torch.testing.assert_close((points - IMAGES).abs().amax((1, 2, 3)), exact, atol=1e-4, rtol=0)
    torch.testing.assert_close(soft_logit_margin(model(points), labels), torch.zeros(40), atol=2e-3, rtol=0)


def test_a_boundary_beyond_reach_is_at_the_end_of_the_search():
    model = two_classes()

    with tensors.frozen(model), torch.no_grad():
        found, _ = nearest_points(model, IMAGES, predictions(model), draws(), farthest=0.01, steps=5, bisections=10)

    far = margins_of(model) > 0.01
    assert far.any()
    torch.testing.assert_close(found[far], torch.full_like(found[far], 0.01), atol=2e-5, rtol=0)


def test_of_three_classes_the_boundary_is_where_the_label_has_half_of_the_probability():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        model[1].weight *= 10
    labels = predictions(model)
    sure = soft_logit_margin(model(IMAGES), labels) < 0
    images, labels = IMAGES[sure], labels[sure]

    with tensors.frozen(model), torch.no_grad():
        found, points = nearest_points(model, images, labels, draws(len(images)), farthest=0.4, steps=20, bisections=14)

    reached = found < 0.35
    assert reached.sum() > 5
    shares = model(points).softmax(1).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(shares[reached], torch.full_like(shares[reached], 0.5), atol=2e-3, rtol=0)


@pytest.mark.parametrize("clean_weight", [0.0, 1 / 3])
def test_the_loss_is_log_two_per_image_within_reach_and_plain_where_the_network_is_wrong(clean_weight):
    model = two_classes()
    labels = predictions(model)
    labels[::5] = 1 - labels[::5]  # these are wrong
    exact = margins_of(model)
    eps = float(exact.quantile(0.5))  # between two of them

    loss = mma(model, IMAGES, labels, draws(), eps=eps, bisections=14, clean_weight=clean_weight)

    wrong = torch.arange(40) % 5 == 0
    plain = functional.cross_entropy(model(IMAGES), labels, reduction="none")
    at_boundary = torch.where(wrong, plain, math.log(2) * (exact < eps))  # two classes are equal there
    expected = clean_weight * plain.mean() + (1 - clean_weight) * at_boundary.mean()
    torch.testing.assert_close(loss, expected, atol=1e-3, rtol=0)


def test_a_step_down_the_loss_moves_the_boundary_away_from_the_images_within_reach():
    model = two_classes()
    labels, before = predictions(model), margins_of(model)

    mma(model, IMAGES, labels, draws(), eps=0.4, bisections=14, clean_weight=0.0).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 1e-3 * parameter.grad

    assert margins_of(model).mean() > before.mean()


def test_images_beyond_reach_add_no_gradient():
    model = two_classes()

    loss = mma(model, IMAGES, predictions(model), draws(), eps=1e-6, clean_weight=0.0)
    loss.backward()

    assert loss == 0
    assert all(torch.count_nonzero(parameter.grad) == 0 for parameter in model.parameters())


def test_without_the_other_part_it_is_plain_training():
    model = two_classes()
    labels = torch.arange(40) % 2

    torch.testing.assert_close(
        mma(model, IMAGES, labels, draws(), clean_weight=1.0), clean(model, IMAGES, labels, draws())
    )
    assert mma(model, IMAGES, labels, draws(), eps=0.0).isfinite()


def test_an_image_gets_the_same_point_in_any_batch():
    model = two_classes()
    labels = torch.arange(40) % 2  # some are wrong

    whole = mma(model, IMAGES, labels, draws(), eps=0.3)

    one_by_one = [
        mma(model, IMAGES[[row]], labels[[row]], draws().take(torch.tensor([row])), eps=0.3) for row in range(40)
    ]
    torch.testing.assert_close(whole, torch.stack(one_by_one).mean())


def test_a_batch_in_which_no_image_is_right_is_trained_on_as_it_is():
    def model(images):
        assert len(images)
        return two_classes()(images)

    labels = 1 - predictions(two_classes())
    loss = mma(model, IMAGES, labels, draws())
    assert torch.equal(loss, clean(two_classes(), IMAGES, labels, draws()))


def test_the_search_leaves_batch_statistics_alone():
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten(), nn.Linear(4, 3)).train()

    mma(model, IMAGES, torch.arange(40) % 3, draws(), eps=0.3).backward()

    assert int(model[0].num_batches_tracked) == 2  # clean images, boundary points
    assert model[0].training and all(parameter.grad is not None for parameter in model.parameters())


def test_the_soft_logit_margin_is_the_cross_entropy_before_its_softplus():
    logits, labels = torch.randn(20, 5, generator=torch.Generator().manual_seed(1)), torch.arange(20) % 5

    found = functional.softplus(soft_logit_margin(logits, labels))

    torch.testing.assert_close(found, functional.cross_entropy(logits, labels, reduction="none"))
