"""How often Python waits for the device in an attack."""

import pytest
import torch
from torch import nn

import gpu_subjects
from touchstone.attacks.apgd import apgd
from touchstone.attacks.pgd import pgd
from touchstone.numerics.tensors import RandomStreams


def waits(attack, **settings):
    """Return the waits of an attack on eight images, three of them beyond the reach of what it gains."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    draws = RandomStreams(0, "attack", torch.arange(8))
    with gpu_subjects.Counting("cpu") as count:
        attack(model, torch.rand(8, 1, 2, 2), torch.arange(8) % 3, draws, **settings)
    return count.waits


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", [pgd, apgd])
def test_an_attack_waits_five_times_at_most_whatever_its_steps(attack, norm):
    assert waits(attack, norm=norm, steps=40) == waits(attack, norm=norm, steps=5) <= 5


def test_an_attack_that_stops_waits_once_a_step_and_once_for_each_that_ends_images():
    assert waits(pgd, eps=0.4, steps=40, stop_on_success=True) <= 5 + 41 + 8
