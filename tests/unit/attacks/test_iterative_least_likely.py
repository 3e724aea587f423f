import torch

from touchstone.attacks.adversary.goals import least_likely
from touchstone.attacks.iterative_least_likely import iterative_least_likely
from touchstone.attacks.pgd import pgd


def test_iterative_least_likely_is_targeted_pgd_without_a_random_start(victim):
    found = iterative_least_likely(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=7)

    expected = pgd(
        victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=7, target="least_likely",
        random_start=False,
    )  # fmt: skip
    assert torch.equal(found, expected)


def test_at_a_large_eps_most_images_become_their_least_likely_class(victim):
    with torch.no_grad():
        target = least_likely(victim.model(victim.images), victim.labels)

    found = iterative_least_likely(victim.model, victim.images, victim.labels, victim.draws(), eps=0.5, steps=40)

    with torch.no_grad():
        assert (victim.model(found).argmax(1) == target).double().mean() > 0.8
