"""The race of newer attacks: orders that are known, a schedule as published, and budgets that hold."""

import math

import pytest
import torch
from torch import nn

import attack_strength
import digits_networks
import newer_attacks
from newer_attacks import Search


@pytest.fixture(scope="module")
def network():
    """A small CNN and digits that it gets right."""
    model, rows = digits_networks.digits_network("clean", 16, epochs=2)
    return model, rows.right(model)


def test_the_order_of_malt_is_that_of_the_boundaries_of_a_linear_network():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    linear[1].weight.data = torch.tensor([[0.0, 0.0], [1.0, 0.0], [10.0, 10.0]])
    linear[1].bias.data = torch.tensor([2.0, 0.0, -10.0])
    image = torch.full((1, 1, 1, 2), 0.25)

    order = newer_attacks.linear_order(linear, image, torch.tensor([0]))

    # Class 1 trails by 1.75 with a slope of 1, class 2 by 7 with a slope of 20: 1.75 against .35.
    assert order.tolist() == [[2, 1, 0]]


def test_the_steps_of_pma_fall_from_two_eps_to_almost_zero_in_each_half(network, monkeypatch):
    model, rows = network
    sizes = []

    def step(self, points, value, size):
        sizes.append(size)
        return points, torch.ones(len(points), dtype=torch.bool)

    monkeypatch.setattr(Search, "step", step)
    newer_attacks.pma(Search(model, *rows, 0.1))

    half = newer_attacks.PMA_STEPS // 2
    assert len(sizes) == newer_attacks.PMA_STEPS * newer_attacks.PMA_STARTS * 2
    assert sizes[1] == sizes[half + 1] == pytest.approx(0.2)
    assert sizes[half] == pytest.approx(0.1 * (1 + math.cos(math.pi * (half - 1) / half)))
    assert max(sizes) <= 0.2 and min(sizes) < 0.001


@pytest.mark.parametrize("name", newer_attacks.ATTACKS)
def test_each_attack_keeps_its_budget_and_leaves_closed_images_alone(network, name):
    model, rows = network
    search = Search(model, *rows, 0.15)

    newer_attacks.ATTACKS[name](search)

    with torch.no_grad():
        right = model(search.best).argmax(1) == rows.labels
    assert torch.equal(torch.nonzero(right)[:, 0], search.open)
    assert 0 < len(search.open) < len(rows.ids)
    assert float((search.best - rows.images).abs().max()) <= 0.15 + 1e-6
    assert float(search.best.min()) >= 0 and float(search.best.max()) <= 1


def test_the_race_runs_small_and_says_who_left_fewer(tmp_path, monkeypatch):
    monkeypatch.setattr(newer_attacks, "ATTACKS", {"MALT": newer_attacks.malt, "nothing": lambda search: None})

    found = newer_attacks.measured(8, ["plain"], [0.3], epochs=1, keep=tmp_path)

    (line,) = found["lines"]
    assert line["nothing"]["robust_accuracy"] >= line[attack_strength.OURS]["robust_accuracy"]
    assert [goal["met"] for goal in found["goals"]] == [True, True]
    assert "left with ours together" in newer_attacks.page(found)
