import pytest
import torch
from linear_margins import linear_margins

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.carlini_wagner import carlini_wagner


def run(victim, **settings):
    return carlini_wagner(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def test_on_a_linear_model_the_distance_is_the_exact_l2_margin(linear):
    layer = linear.model[1]
    victim = linear._replace(labels=linear.model(linear.images).argmax(1))
    exact = linear_margins(layer.weight.detach(), layer.bias.detach(), linear.images, "l2")

    found = run(victim, searches=10, steps=200, learning_rate=0.02)

    distance = (found - linear.images).flatten(1).norm(dim=1)
    assert not victim.still_right(found).any()
    assert (distance >= exact - 1e-9).all()
    assert (distance / exact).mean() < 1.02


def test_every_image_is_fooled_and_those_that_were_wrong_come_back_as_they_are(victim):
    labels = torch.where(torch.arange(100) < 5, (victim.labels + 1) % 10, victim.labels)
    victim = victim._replace(labels=labels)
    wrong = ~victim.still_right(victim.images)

    found = run(victim, steps=60, searches=4)

    assert not victim.still_right(found).any()
    assert torch.equal(found[wrong], victim.images[wrong]) and wrong.sum() >= 5


def test_the_image_comes_back_where_no_misclassified_point_exists():
    model = lambda x: torch.tensor([1.0, 0.0]) + 0 * x.flatten(1)[:, :1]  # noqa: E731
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))

    found = carlini_wagner(model, images, torch.zeros(3, dtype=torch.int64), None, steps=5, searches=2)

    assert torch.equal(found, images)


def test_confidence_is_the_margin_by_which_another_class_wins(victim):
    sure = run(victim, steps=60, searches=5, confidence=2.0)

    with torch.no_grad():
        margin = margin_loss(victim.model(sure), victim.labels)
    moved = (sure != victim.images).flatten(1).any(1)
    assert moved.double().mean() > 0.9
    assert (margin[moved] > 2.0).all()
    assert margin[moved].median().item() == pytest.approx(2.0, abs=0.5)


def test_black_and_white_pixels_can_move():
    weights = torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    images = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    model = lambda x: x.flatten(1) @ weights.T + torch.tensor([0.0, 0.6])  # noqa: E731

    found = carlini_wagner(model, images, torch.zeros(1, dtype=torch.int64), None)

    torch.testing.assert_close(found.flatten(), torch.tensor([0.2, 0.8]), rtol=0, atol=0.02)
