"""Evaluations with a planted error fail the binarisation test, good ones pass."""

from functools import partial

import pytest
import torch
from torch import nn

from touchstone.attacks.apgd import apgd
from touchstone.attacks.binarisation import binarisation
from touchstone.attacks.pgd import pgd
from touchstone.attacks.square import square
from touchstone.evaluations.statistics.sanity_checks import CHECKS

ROWS = torch.arange(10)
PASSES = CHECKS["planted_success_rate"].passed


def solved(victim, attack=None, model=None, **settings):
    """The share of planted problems that are solved; of all images without an attack."""
    images = victim.images[ROWS]
    found = binarisation(
        model or victim.model, images, victim.labels[ROWS], victim.draws().take(ROWS), attack=attack, **settings
    )
    return float((found != images).flatten(1).any(1).double().mean())


class Scaled(nn.Module):
    """Masked gradients: the same predictions, but so sure that the softmax saturates in float32."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return 1e4 * self.model(images)


class Rounded(nn.Module):
    """Masked gradients: pixels are rounded to 16 levels, so the gradient is 0."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model((15 * images).round() / 15)


def descends(model, images, labels, generator, *, eps=0.1, steps=40):
    """A wrong loss: steps lead towards the right class."""
    with torch.enable_grad():
        for _ in range(steps):
            points = images.detach().requires_grad_()
            loss = nn.functional.cross_entropy(model(points), labels, reduction="sum")
            images = (images - eps / steps * torch.autograd.grad(loss, points)[0].sign()).clamp(0, 1)
    return images.detach()


def test_every_image_has_a_planted_problem_that_random_search_seldom_solves(victim):
    assert solved(victim) == 1
    assert CHECKS["random_success_rate"].passed(solved(victim, corners=200))


@pytest.mark.parametrize(
    "attack",
    [
        partial(pgd, eps=0.1, steps=40),
        partial(pgd, eps=0.1, steps=40, loss="margin"),
        partial(apgd, eps=0.1, steps=40),
        partial(square, eps=0.1, queries=200),
    ],
    ids=["pgd", "pgd on the margin", "apgd", "square"],
)
def test_a_good_attack_passes(victim, attack):
    assert PASSES(solved(victim, attack))


@pytest.mark.parametrize(
    "attack",
    [partial(pgd, eps=0.1, steps=5, step_size=0.01), partial(pgd, eps=0.05), descends],
    ids=["too few steps", "a smaller eps", "a wrong loss"],
)
def test_a_weak_attack_fails(victim, attack):
    assert solved(victim, attack) <= 0.75


@pytest.mark.parametrize("mask", [Scaled, Rounded])
def test_masked_gradients_are_caught_and_an_attack_that_avoids_them_passes(victim, mask):
    model = mask(victim.model)
    avoids = partial(pgd, eps=0.1, loss="margin") if mask is Scaled else partial(square, eps=0.1, queries=200)

    assert solved(victim, model=model) >= 0.95  # problems can be planted
    assert solved(victim, partial(pgd, eps=0.1), model) <= 0.5
    assert PASSES(solved(victim, avoids, model))


def test_problems_with_the_hyperplane_in_the_middle_are_easier(victim):
    weak = partial(pgd, eps=0.1, steps=5, step_size=0.01)

    assert solved(victim, weak, closeness=0.0) > solved(victim, weak) + 0.1


def test_an_attack_that_leaves_the_ball_is_refused(victim):
    with pytest.raises(ValueError, match=r"moved a pixel by 0\.2, more than eps 0\.1"):
        solved(victim, partial(pgd, eps=0.2))


def test_the_image_itself_is_returned_where_the_attack_fails(victim):
    images = victim.images[ROWS]

    found = binarisation(victim.model, images, victim.labels[ROWS], victim.draws().take(ROWS), attack=descends)

    assert torch.equal(found, images)
