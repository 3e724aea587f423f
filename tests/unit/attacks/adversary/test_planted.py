"""Planted problems against closed forms."""

import torch
from torch import nn

from touchstone.attacks.adversary.planted import plant, random_search, separating
from touchstone.numerics.tensors import RandomStreams


def pixels(size=9):
    """A network whose features are the pixels."""
    side = int(size**0.5)
    model = nn.Sequential(nn.Flatten(), nn.Linear(size, 3)).double()
    return model, torch.full((1, 1, side, side), 0.5, dtype=torch.float64)


def stream(row=0):
    return RandomStreams(0, "attack", torch.tensor([row]))


def test_the_readout_has_the_largest_margin():
    """Of a square of side 2 and the point (3, 0) in its prolongation, the hyperplane is x = 2, halfway from 1 to 3."""
    square = torch.tensor([[0.0, 0.0], [1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    readout = separating(square, torch.tensor([3.0, 0.0]), closeness=0.0, spread=10.0)

    torch.testing.assert_close(readout.weight, torch.tensor([1.0, 0.0]), atol=0.01, rtol=0)
    assert abs(readout.threshold - 2) < 0.02
    leads = readout(torch.tensor([[2.0, 5.0], [3.0, 0.0], [-1.0, 0.0]]))[:, 1]
    assert abs(float(leads[0])) < 0.1 and leads[1] > 0 > leads[2]


def test_closeness_moves_the_hyperplane_from_the_middle_to_the_boundary_point():
    inner, boundary = torch.tensor([[0.0], [1.0]]), torch.tensor([3.0])

    thresholds = [separating(inner, boundary, closeness=c, spread=1.0).threshold for c in (0.0, 0.5, 1.0)]

    torch.testing.assert_close(torch.tensor(thresholds), torch.tensor([2.0, 2.5, 3.0]))


def test_the_logits_have_the_range_that_was_asked_for():
    inner, boundary = torch.tensor([[-1.0], [1.0]]), torch.tensor([3.0])

    readout = separating(inner, boundary, closeness=0.5, spread=20.0)

    logits = readout(torch.cat([inner, boundary[None]]))
    assert abs(float(logits.max() - logits.min()) - 20) < 1e-4


def test_nothing_separates_a_point_of_the_hull():
    square = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])

    assert separating(square, torch.tensor([0.9, 0.0]), closeness=0.5, spread=1.0) is None
    assert separating(square, torch.tensor([1.0, 1.0]), closeness=0.5, spread=1.0) is None
    assert separating(square, torch.tensor([3.0, 0.0]), closeness=0.5, spread=0.0) is None


def test_the_solution_is_a_corner_and_all_inner_points_are_in_the_first_class():
    """With the pixels as features, the inner points are within .95 eps, so none of them reaches the corner's class."""
    model, image = pixels()

    problem = plant(model, image, stream(), eps=0.1, inner_points=200, closeness=0.9)

    assert torch.allclose((problem.solution - image).abs(), torch.tensor(0.1, dtype=torch.float64))
    assert problem.readout(problem.solution.flatten(1)).argmax(1) == 1
    inside = image + 0.095 * (2 * torch.rand(500, 1, 3, 3, dtype=torch.float64) - 1)
    share = (problem.readout(inside.flatten(1)).argmax(1) == 1).double().mean()
    assert share < 0.01


def test_a_constant_network_has_no_planted_problem():
    model, image = pixels()
    constant = nn.Sequential(nn.Flatten(), nn.Linear(9, 4), nn.Linear(4, 3)).double()
    with torch.no_grad():
        constant[1].weight.zero_()

    assert plant(constant, image, stream(), eps=0.1, inner_points=50, closeness=0.5) is None
    assert plant(model, image, stream(), eps=0.1, inner_points=50, closeness=0.5) is not None


def test_only_allowed_points_are_planted():
    model, image = pixels()

    def bright_corner(points):
        return points[:, 0, 0, 0] > 0.5

    for row in range(8):
        problem = plant(
            model, image, stream(row), eps=0.1, inner_points=50, closeness=0.5, allowed=bright_corner, candidates=100
        )
        assert problem.solution[0, 0, 0, 0] > 0.5
    assert (
        plant(model, image, stream(), eps=0.1, inner_points=50, closeness=0.5, allowed=lambda x: x[:, 0, 0, 0] > 1)
        is None
    )


def test_random_search_returns_the_first_corner_that_solves_the_problem():
    _, image = pixels()

    found = random_search(lambda points: points.mean((1, 2, 3)) > 0.5, image, stream(), eps=0.1, corners=300)
    none = random_search(lambda points: points.mean((1, 2, 3)) > 1, image, stream(), eps=0.1, corners=300)

    assert found.mean() > 0.5 and torch.allclose((found - image).abs(), torch.tensor(0.1, dtype=torch.float64))
    assert torch.equal(none, image)
