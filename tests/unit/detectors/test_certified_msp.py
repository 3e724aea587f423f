import itertools

import pytest
import torch
from torch import nn

from touchstone.detectors.certified_msp import IMAGES, certified_msp
from touchstone.detectors.msp import msp
from touchstone.numerics.linear_bounds import Bounds
from touchstone.numerics.tensors import seeded


def network(pixels, classes, hidden=8, scale=3.0):
    with seeded(4, "init"):
        model = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, classes))
        for layer in (model[1], model[3]):
            layer.weight.data.mul_(scale)
    return model.double()


def images(count, *shape):
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def ends(model, of, eps):
    return tuple(certified_msp(model, of, eps=eps, end=end) for end in ("low", "high"))


@pytest.mark.parametrize("eps", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("pixels", [1, 2])
def test_both_ends_hold_on_a_grid_over_the_whole_ball_and_are_near_it(pixels, eps):
    model, clean = network(pixels, 4), images(12, 1, 1, pixels)
    steps = torch.cartesian_prod(*[torch.linspace(-eps, eps, 41, dtype=torch.float64)] * pixels).view(-1, 1, 1, pixels)
    with torch.no_grad():
        found = torch.stack([msp(model((clean + step).clamp(0, 1))) for step in steps])

    low, high = ends(model, clean, eps)

    assert (low <= found.amin(0) + 1e-9).all() and (found.amax(0) <= high + 1e-9).all()
    assert (found.amin(0) - low).mean() < 2 * eps and (high - found.amax(0)).mean() < 2 * eps


def test_without_a_hidden_layer_the_ends_of_two_classes_are_the_closed_form():
    # p of the leading class is 1 / (1 + exp(-gap)), and the gap moves by at most eps * ||w||_1; at a tie the maximum is 1/2.
    layer = nn.Linear(4, 2).double()
    layer.weight.data, layer.bias.data = (
        torch.tensor([[1.0, -2.0, 0.5, 0.0], [0.0] * 4]).double(),
        torch.zeros(2).double(),
    )
    clean = 0.2 + 0.6 * images(20, 1, 2, 2)
    gap = layer(clean.flatten(1)).detach()[:, 0]

    low, high = ends(nn.Sequential(nn.Flatten(), layer), clean, 0.1)

    torch.testing.assert_close(low, -(gap.abs() + 0.35).sigmoid())
    torch.testing.assert_close(high, -(gap.abs() - 0.35).clamp_min(0).sigmoid())


@pytest.mark.parametrize("end", ["low", "high"])
def test_at_eps_0_the_score_is_that_of_msp(end):
    model, clean = network(4, 5), images(6, 1, 2, 2)

    torch.testing.assert_close(certified_msp(model, clean, eps=0.0, end=end), msp(model(clean)))


def test_a_larger_ball_moves_both_ends_outwards():
    model, clean = network(9, 5), images(6, 1, 3, 3)
    pairs = [ends(model, clean, eps) for eps in (0.0, 0.02, 0.1, 0.5)]

    for (low, high), (wider_low, wider_high) in itertools.pairwise(pairs):
        assert (wider_low <= low + 1e-9).all() and (wider_high >= high - 1e-9).all()
    assert (pairs[-1][1] <= -1 / 5 + 1e-9).all() and (pairs[-1][0] >= -1).all()


def test_two_tied_classes_keep_the_high_end_below_a_half_wherever_the_tie_breaks():
    # Classes 0 and 1 are tied and swap by any step; class 2 stays far behind. Either of the two has a half, whoever leads.
    layer = nn.Linear(1, 3).double()
    layer.weight.data, layer.bias.data = (
        torch.tensor([[20.0], [-20.0], [0.0]]).double(),
        torch.tensor([-10.0, 10.0, -30.0]).double(),
    )

    high = certified_msp(
        nn.Sequential(nn.Flatten(), layer), torch.full((1, 1, 1, 1), 0.5).double(), eps=0.1, end="high"
    )

    assert high.item() == pytest.approx(-0.5, abs=1e-6)


def test_gaps_that_cannot_be_small_together_are_bounded_together():
    # Logits 3, s and -s with |s| <= 1: p of the first is greatest at s = 0, although each other logit can be -1 by itself.
    layer = nn.Linear(1, 3).double()
    layer.weight.data, layer.bias.data = (
        torch.tensor([[0.0], [10.0], [-10.0]]).double(),
        torch.tensor([3.0, -5.0, 5.0]).double(),
    )

    low = certified_msp(nn.Sequential(nn.Flatten(), layer), torch.full((1, 1, 1, 1), 0.5).double(), eps=0.1, end="low")

    assert low.item() == pytest.approx(-torch.tensor([3.0, 0.0, 0.0]).double().softmax(0)[0].item())


def test_only_some_images_are_bounded_at_a_time(monkeypatch):
    model, clean, counts = network(4, 3), images(2 * IMAGES + 1, 1, 2, 2), []

    class Counted(Bounds):
        def __init__(self, graph, low, high):
            counts.append(len(low))
            super().__init__(graph, low, high)

    monkeypatch.setattr("touchstone.detectors.certified_msp.Bounds", Counted)

    together = ends(model, clean, 0.05)

    assert counts == [IMAGES, IMAGES, 1] * 2
    apart = [torch.cat([ends(model, one, 0.05)[place] for one in clean.split(1)]) for place in (0, 1)]
    torch.testing.assert_close(list(together), apart)
