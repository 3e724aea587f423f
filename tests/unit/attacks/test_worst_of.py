from functools import partial

import torch

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.attacks.random_sign import random_sign
from touchstone.attacks.uniform_noise import uniform_noise
from touchstone.attacks.worst_of import worst_of
from touchstone.numerics.tensors import RandomStreams, to_grid_towards


def test_worst_of_fools_exactly_what_any_of_its_attacks_fools(victim):
    attacks = [partial(fgsm, eps=0.1, target="next"), partial(fgsm, eps=0.1, target="random"), partial(pgd, steps=3)]
    fooled = [
        ~victim.still_right(attack(victim.model, victim.images, victim.labels, victim.draws())) for attack in attacks
    ]

    found = worst_of(victim.model, victim.images, victim.labels, victim.draws(), attacks=attacks)

    assert torch.equal(~victim.still_right(found), torch.stack(fooled).any(0))


def test_worst_of_returns_the_first_success_and_else_the_highest_margin_loss(victim):
    attacks = [partial(uniform_noise, eps=0.1), partial(fgsm, eps=0.1), partial(pgd, eps=0.1, steps=5)]
    single = [attack(victim.model, victim.images, victim.labels, victim.draws()) for attack in attacks]
    with torch.no_grad():
        as_it_is, rounded = (
            torch.stack([margin_loss(victim.model(images), victim.labels) for images in sets], 1)
            for sets in (single, [to_grid_towards(images, victim.images) for images in single])
        )
    margins = torch.minimum(as_it_is, rounded)

    found = worst_of(victim.model, victim.images, victim.labels, victim.draws(), attacks=attacks)

    success = margins > 0
    chosen = torch.where(success.any(1), success.int().argmax(1), margins.argmax(1))
    expected = torch.stack(single, 1)[torch.arange(100), chosen]
    assert len(chosen.unique()) > 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


def test_an_image_that_was_fooled_is_not_attacked_again(victim):
    seen = []

    def watching(model, images, labels, generator):
        seen.append(len(images))
        assert len(generator) == len(images)
        return images

    worst_of(victim.model, victim.images, victim.labels, victim.draws(), attacks=[partial(pgd, eps=0.1), watching])

    attacked = pgd(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)
    rounded = to_grid_towards(attacked, victim.images)  # what rounding undoes is attacked again
    right = int((victim.still_right(attacked) | victim.still_right(rounded)).sum())
    assert seen == [right] and right < 100


def test_a_success_that_the_rounding_to_eight_bits_undoes_does_not_end_the_search():
    def brighter(model, images, labels, generator, *, steps):
        return images + steps / 255

    def model(images):
        return torch.stack([torch.zeros(len(images)), images.flatten(1).sum(1) - images[0].numel() * 100.2 / 255], 1)

    images, labels = torch.full((3, 1, 2, 2), 100 / 255), torch.zeros(3, dtype=torch.int64)
    draws = RandomStreams(0, "attack", torch.arange(3))

    found = worst_of(model, images, labels, draws, attacks=[partial(brighter, steps=0.5), partial(brighter, steps=2.0)])

    torch.testing.assert_close(found, images + 2 / 255)


def test_below_one_level_a_weak_attack_before_a_strong_one_hides_nothing(victim):
    """Every rounded point is the clean image there."""
    weak, strong = partial(random_sign, eps=0.9 / 255), partial(pgd, eps=0.9 / 255, loss="margin")

    single = strong(victim.model, victim.images, victim.labels, victim.draws())
    found = worst_of(victim.model, victim.images, victim.labels, victim.draws(), attacks=[weak, strong])

    with torch.no_grad():
        margins = [margin_loss(victim.model(images), victim.labels) for images in (single, found)]
    assert ((margins[1] >= margins[0] - 1e-6) | (margins[1] > 0)).all()
