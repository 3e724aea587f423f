"""The attack on an expectation: it keeps going where `worst_of` has finished."""

import math
from functools import partial

import pytest
import torch

from touchstone.attacks.adversary.expectation import Expected
from touchstone.attacks.highest_loss import highest_loss
from touchstone.attacks.worst_of import worst_of
from touchstone.numerics.tensors import RandomStreams

N = 400
LABELS = torch.ones(N, dtype=torch.int64)
IMAGES = torch.full((N, 1, 1, 1), 0.6)


def noisy(images):
    """Class 1 if the pixel plus noise of 0.1 is above 0.5."""
    lead = 50 * (images.flatten() + 0.1 * torch.randn(len(images)) - 0.5)
    return torch.stack([-lead, lead], 1)


def darker(change, model, images, labels, generator):
    return images - change


def left(attack):
    """The share that stays right under two attacks: one that just succeeds, and one twice as large."""
    torch.manual_seed(0)
    attacks = [partial(darker, 0.12), partial(darker, 0.2)]
    streams = RandomStreams(0, "attack", torch.arange(N))
    attacked = attack(Expected(noisy, 32), IMAGES, LABELS, streams, attacks=attacks)
    return float((noisy(attacked).argmax(1) == LABELS).float().mean())


def test_the_larger_change_is_kept_although_the_smaller_one_turns_the_expectation():
    share = 0.5 * (1 - math.erf(1 / math.sqrt(2)))  # one standard deviation beyond the boundary

    assert left(highest_loss) == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / N))
    assert left(worst_of) > share + 0.1


def test_the_loss_of_every_image_decides():
    attacks = [partial(darker, 0.2), partial(darker, -0.2)]
    streams = RandomStreams(0, "attack", torch.arange(N))

    attacked = highest_loss(Expected(noisy, 8), IMAGES, LABELS, streams, attacks=attacks)

    assert torch.allclose(attacked, IMAGES - 0.2)


def test_a_wrong_prediction_comes_before_a_higher_cross_entropy():
    """At .7 class 2 wins narrowly; at .5 class 1 wins over two rivals that are close, with the higher cross-entropy."""

    def three(images):
        brighter = 10 * (images.flatten() - 0.6)
        return torch.stack([-1.55 - 1.45 * brighter, 0 * brighter, -0.025 + 0.075 * brighter], 1)

    attacks = [partial(darker, -0.1), partial(darker, 0.1)]
    streams = RandomStreams(0, "attack", torch.arange(N))

    attacked = highest_loss(three, IMAGES, LABELS, streams, attacks=attacks)

    assert torch.allclose(attacked, IMAGES + 0.1)
