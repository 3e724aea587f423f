"""Random search on a score, against answers in closed form and on a score without a gradient."""

import torch
from torch import nn

from touchstone.attacks.adaptive.score_pgd import score_pgd
from touchstone.attacks.adaptive.score_square import score_square
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.effort import counted
from touchstone.numerics.tensors import RandomStreams

IMAGES = 0.3 + 0.4 * torch.rand((10, 1, 4, 4), generator=torch.Generator().manual_seed(0))
SIDES = torch.arange(10) % 2 == 0


def guarded(score):
    return Guarded(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), score, ("images",), {}, 0.0, 1.0, {})


def draws():
    return RandomStreams(0, "attack", torch.arange(10))


def brightness(images):
    return images.mean((1, 2, 3))


def test_a_linear_score_moves_by_eps_to_the_side_of_each_image():
    attacked = score_square(guarded(brightness), IMAGES, SIDES, draws(), eps=0.1, queries=600)

    moved = brightness(attacked) - brightness(IMAGES)
    torch.testing.assert_close(moved, torch.where(SIDES, 0.1, -0.1), atol=1e-3, rtol=0)


def test_a_score_whose_gradient_is_masked_moves_all_the_same():
    def masked(images):
        return (100 * brightness(images)).round() / 100 + 0 * brightness(images)

    by_gradient = score_pgd(guarded(masked), IMAGES, SIDES, draws(), eps=0.1, steps=20, restarts=1, imitations=0)
    by_queries = score_square(guarded(masked), IMAGES, SIDES, draws(), eps=0.1, queries=600)

    assert torch.equal(by_gradient, IMAGES)
    assert (torch.where(SIDES, 1, -1) * (masked(by_queries) - masked(IMAGES)) > 0.05).all()


def test_an_image_costs_the_queries_that_are_named_and_one_for_itself():
    defence = guarded(brightness)
    with counted(defence.model) as effort:
        score_square(defence, IMAGES, SIDES, draws(), queries=50)

    assert (effort.forward, effort.gradient) == (51 * 10, 0)


def test_an_image_whose_score_is_infinite_on_the_wrong_side_stays_and_the_others_move_as_without_it():
    def infinite(images):
        clean = (images[:, None] == IMAGES).flatten(2).all(2)
        beyond = clean[:, 0].float() - clean[:, 1].float()  # image 0 as high as can be, image 1 as low
        return torch.where(beyond == 0, brightness(images), beyond * torch.inf)

    attacked = score_square(guarded(infinite), IMAGES, SIDES, draws(), eps=0.1, queries=50)

    assert torch.equal(attacked[:2], IMAGES[:2])
    assert torch.equal(attacked[2:], score_square(guarded(brightness), IMAGES, SIDES, draws(), eps=0.1, queries=50)[2:])
