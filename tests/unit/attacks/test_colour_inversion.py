import torch

from touchstone.attacks import colour_inversion as module
from touchstone.attacks.colour_inversion import colour_inversion


def test_colour_inversion_turns_black_into_white_and_leaves_middle_grey():
    images = torch.tensor([0.0, 0.5, 1.0, 0.25]).view(1, 1, 2, 2)

    found = colour_inversion(lambda x: x.flatten(1), images, torch.tensor([0]), None)

    assert found.flatten().tolist() == [1.0, 0.5, 0.0, 0.75]


def test_colour_inversion_is_its_own_inverse_and_declares_that_it_has_no_budget(victim):
    once = colour_inversion(victim.model, victim.images, victim.labels, victim.draws())

    assert torch.equal(colour_inversion(victim.model, once, victim.labels, victim.draws()), victim.images)
    assert module.BUDGET is None
