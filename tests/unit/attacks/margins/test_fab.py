import pytest
import torch
from linear_margins import linear_margins

from touchstone.attacks.margins.fab import _project, _run, fab
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.numerics.tensors import RandomStreams


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fab_finds_the_exact_margin_of_a_linear_model_away_from_the_border(draws, norm):
    generator = torch.Generator().manual_seed(0)
    weights, bias = torch.randn(4, 6, generator=generator), 0.01 * torch.randn(4, generator=generator)
    images = 0.45 + 0.1 * torch.rand(100, 1, 2, 3, generator=generator)
    exact = linear_margins(weights, bias, images, norm)
    inside = linear_margins(weights, bias, images, "l2") < 0.4

    margins, found = fab(lambda x: x.flatten(1) @ weights.T + bias, images, None, draws, steps=5, norm=norm)

    assert found.all() and inside.sum() > 20
    assert (margins[inside] / exact[inside] - 1).abs().max() < 1e-3


def test_fab_is_an_upper_bound_near_the_exact_margin_where_the_box_matters(linear_net, images, draws):
    near = nearest_classes(linear_net, images, None, draws, classes=9, steps=100)[0]

    margins, found = fab(linear_net, images, None, draws, steps=20)

    assert found.all() and (margins >= near * (1 - 1e-3)).all()
    assert (margins / near - 1).mean() < 0.02


def test_restarts_find_a_nearer_boundary_that_the_gradient_at_the_image_points_away_from():
    def model(images):  # another class below .4 and above .8; at .5 the slope leads up
        pixel = images.flatten(1)[:, 0]
        return torch.stack([0 * pixel, torch.where(pixel < 0.47, 4 - 10 * pixel, pixel - 0.8)], 1)

    images, draws = torch.full((20, 1, 1, 1), 0.5), RandomStreams(0, "attack", torch.arange(20))

    one, many = [fab(model, images, None, draws, steps=10, restarts=restarts)[0] for restarts in (1, 8)]

    torch.testing.assert_close(one, torch.full((20,), 0.3), rtol=1e-3, atol=0)
    torch.testing.assert_close(many, torch.full((20,), 0.1), rtol=1e-3, atol=0)


def test_fab_agrees_with_nearest_classes_on_most_images_of_a_network(cnn, images, draws):
    near, _ = nearest_classes(cnn, images, None, draws)

    margins, found = fab(cnn, images, None, draws, steps=30)

    assert found.all()
    assert 1.0 <= (margins / near).mean() < 1.1
    assert (margins / near).median() < 1.03


def test_a_constant_model_has_no_margin():
    images = torch.rand(3, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    model = lambda x: torch.tensor([1.0, 0.0, 0.0]) + 0 * x.flatten(1).sum(1, keepdim=True)  # noqa: E731

    margins, found = fab(model, images, None, RandomStreams(0, "attack", torch.arange(3)), steps=3, restarts=2)

    assert margins.isinf().all() and not found.any()


def test_a_point_beyond_the_hyperplane_is_projected_back_onto_it():
    points = torch.tensor([[0.6, 0.5], [0.2, 0.5]])
    slopes, gaps = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([-0.2, 0.2])

    change, size = _project(points, slopes, gaps, "linf")

    torch.testing.assert_close(change, torch.tensor([[-0.2, 0.0], [0.2, 0.0]]))
    torch.testing.assert_close(size, torch.tensor([0.2, 0.2]))


def test_the_first_steps_are_those_worked_by_hand():
    seen = []

    def model(images):  # one pixel, another class above .8
        seen.append(round(images.item(), 6))
        return torch.cat([torch.full_like(images.flatten(1), 0.8), images.flatten(1)], 1)

    image, start = torch.full((1, 1, 1, 1), 0.5).double(), torch.full((1, 1, 1, 1), 0.6).double()

    change, size = _run(model, image, torch.zeros(1, dtype=torch.int64), start, 2, "linf")

    # .9 (.6 + 1.05 * .2) + .1 (.5 + 1.05 * .3) = .8105 has crossed; back to .5 + .9 * .3105.
    assert seen[:3] == [0.6, 0.8105, 0.77945]
    assert size.item() == pytest.approx(change.item()) and 0.3 < size.item() <= 0.3105
