import pytest
import torch
from linear_margins import linear_margins

from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.numerics.tensors import RandomStreams


def oracle(model, images, norm):
    normalise, _, layer = model
    # Behind (x - m) / s the layer W x + b is (W / s) x + b - W m / s.
    scale, shift = normalise.std.item(), normalise.mean.item()
    weights = layer.weight.detach().double() / scale
    return linear_margins(weights, layer.bias.detach().double() - weights.sum(1) * shift, images, norm)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nearest_classes_agrees_with_the_exact_linear_margin_within_a_thousandth(linear_net, images, draws, norm):
    exact = oracle(linear_net, images, norm)

    margins, found = nearest_classes(linear_net, images, torch.zeros(100, dtype=torch.int64), draws, norm=norm)

    assert found.all()
    assert (margins / exact - 1).abs().max() < 1e-3
    assert (margins.double() >= exact * (1 - 1e-5)).all()  # upper bounds


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_default_search_is_within_one_percent_of_nine_classes_of_a_hundred_steps(cnn, images, draws, norm):
    near = nearest_classes(cnn, images, None, draws, classes=9, steps=100, norm=norm)[0]

    margins, found = nearest_classes(cnn, images, None, draws, norm=norm)

    assert found.all()
    assert (margins / near - 1).mean() < 0.01


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_polishing_makes_up_for_a_search_that_stopped_early(cnn, images, draws, norm):
    whole = nearest_classes(cnn, images, None, draws, norm=norm)[0]

    polished = nearest_classes(cnn, images, None, draws, steps=1, norm=norm)[0]

    assert (polished / whole).mean() < 1.04


def test_a_margin_belongs_to_the_predicted_class_whatever_the_label(cnn, images, draws):
    one, two = [nearest_classes(cnn, images, torch.full((100,), label), draws, steps=10)[0] for label in (0, 7)]

    assert torch.equal(one, two)


def test_shifting_logits_leaves_margins_and_scaling_them_too(cnn, images, draws):
    plain = nearest_classes(cnn, images, None, draws, steps=20)[0]

    shifted = nearest_classes(lambda x: cnn(x) + 3.0, images, None, draws, steps=20)[0]
    scaled = nearest_classes(lambda x: 4.0 * cnn(x), images, None, draws, steps=20)[0]

    torch.testing.assert_close(shifted, plain, rtol=1e-2, atol=1e-4)
    torch.testing.assert_close(scaled, plain, rtol=1e-2, atol=1e-4)


def test_a_constant_model_has_no_margin():
    images = torch.rand(3, 1, 2, 2)
    model = lambda x: torch.tensor([1.0, 0.0, 0.0]) + 0 * x.flatten(1).sum(1, keepdim=True)  # noqa: E731

    margins, found = nearest_classes(model, images, None, RandomStreams(0, "attack", torch.arange(3)))

    assert margins.isinf().all() and not found.any()


def test_a_tie_is_not_a_success():
    # Class 1 meets class 0 at .75 and never passes it.
    model = lambda x: torch.stack([x.flatten(1)[:, 0].clamp_max(0.75), 0.75 + 0 * x.flatten(1)[:, 0]], 1)  # noqa: E731
    flipped = lambda x: model(x).flip(1)  # noqa: E731

    margins, found = nearest_classes(
        flipped, torch.full((1, 1, 1, 1), 0.5), None, RandomStreams(0, "a", torch.arange(1))
    )

    assert not found.any() and margins.isinf().all()


def test_an_image_on_the_border_finds_the_way_that_the_box_leaves_open():
    weights = torch.tensor([[0.0, 0.0], [10.0, 1.0]])
    model = lambda x: x.flatten(1) @ weights.T + torch.tensor([10.2, 0.0])  # noqa: E731
    images = torch.tensor([1.0, 0.1]).view(1, 1, 1, 2)  # the steep pixel is at 1 already

    margins, found = nearest_classes(model, images, None, RandomStreams(0, "attack", torch.arange(1)))

    assert found.all() and margins.item() == pytest.approx(0.1, rel=2e-3)


def test_more_classes_than_the_model_has_are_all_tried():
    weights = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    images = torch.tensor([[0.8, 0.4]]).view(1, 1, 1, 2)

    margins, _ = nearest_classes(lambda x: x.flatten(1) @ weights, images, None, RandomStreams(0, "a", torch.arange(1)))

    assert margins.item() == pytest.approx(0.2, rel=1e-3)


def test_a_class_that_the_linear_model_cannot_reach_is_tried_all_the_same():
    # The lead of class 1 is p^8 - .9^8: nearly flat at .3, where its tangent stays below 0 up to 1 and beyond.
    model = lambda x: torch.stack([0.9**8 + 0 * x.flatten(1)[:, 0], x.flatten(1)[:, 0] ** 8], 1)  # noqa: E731

    margins, found = nearest_classes(model, torch.full((1, 1, 1, 1), 0.3), None, RandomStreams(0, "a", torch.arange(1)))

    assert found.all() and margins.item() == pytest.approx(0.6, rel=1e-3)


def test_a_model_of_one_class_is_refused():
    with pytest.raises(ValueError, match="a margin needs a model with at least 2 classes, got 1"):
        nearest_classes(
            lambda x: x.flatten(1)[:, :1], torch.rand(2, 1, 2, 2), None, RandomStreams(0, "attack", torch.arange(2))
        )
