import torch

from touchstone.attacks.bim import bim
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd


def test_bim_is_pgd_without_a_random_start(victim):
    found = bim(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=7)

    expected = pgd(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=7, random_start=False)

    assert torch.equal(found, expected)


def test_bim_draws_nothing(victim):
    first, second = [bim(victim.model, victim.images, victim.labels, victim.draws(seed)) for seed in (0, 1)]

    assert torch.equal(first, second)


def test_bim_is_at_least_as_strong_as_fgsm(victim):
    single, iterated = [
        int(victim.still_right(attack(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)).sum())
        for attack in (fgsm, bim)
    ]

    assert iterated <= single


def test_bim_reaches_the_corner_of_the_ball_on_a_linear_model(binary):
    victim, weights = binary

    found = bim(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)

    expected = -0.1 * (2 * victim.labels - 1).double()[:, None] * weights.sign()
    torch.testing.assert_close((found - victim.images).flatten(1), expected, rtol=0, atol=1e-9)
