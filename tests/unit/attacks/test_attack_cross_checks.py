"""Against torchattacks and foolbox on the same network and images: never weaker, beyond the noise of random starts."""

from __future__ import annotations

import pytest
import torch

from touchstone.attacks.apgd import apgd
from touchstone.attacks.bim import bim
from touchstone.attacks.carlini_wagner import carlini_wagner
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.attacks.spsa import spsa
from touchstone.attacks.square import square

NOISE = 2  # images of 100


@pytest.fixture(scope="module")
def torchattacks():
    return pytest.importorskip("torchattacks")


@pytest.fixture
def foolbox(victim):
    package = pytest.importorskip("foolbox")
    return package, package.PyTorchModel(victim.model, bounds=(0, 1))


def ours(victim, attack, **settings):
    return attack(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def not_weaker(victim, found, other):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        other = other(victim.images, victim.labels)
    assert int(victim.still_right(found).sum()) <= int(victim.still_right(other).sum()) + NOISE


def test_fgsm_is_bit_for_bit_that_of_torchattacks(victim, torchattacks):
    found = ours(victim, fgsm, eps=0.1)

    torch.testing.assert_close(
        found, torchattacks.FGSM(victim.model, eps=0.1)(victim.images, victim.labels), rtol=0, atol=1e-6
    )


def test_bim_is_not_weaker_than_that_of_torchattacks(victim, torchattacks):
    found = ours(victim, bim, eps=0.1, steps=10, step_size=0.02)

    not_weaker(victim, found, torchattacks.BIM(victim.model, eps=0.1, alpha=0.02, steps=10))


def test_pgd_is_not_weaker_than_those_of_torchattacks_and_foolbox(victim, torchattacks, foolbox):
    found = ours(victim, pgd, eps=0.1, step_size=0.01)
    package, model = foolbox
    attack = package.attacks.LinfPGD(abs_stepsize=0.01, steps=40)

    not_weaker(victim, found, torchattacks.PGD(victim.model, eps=0.1, alpha=0.01, steps=40))
    not_weaker(victim, found, lambda images, labels: attack(model, images, labels, epsilons=0.1)[1])


def test_l2_pgd_is_not_weaker_than_that_of_torchattacks(victim, torchattacks):
    found = ours(victim, pgd, eps=0.7, norm="l2")

    not_weaker(victim, found, torchattacks.PGDL2(victim.model, eps=0.7, alpha=2.5 * 0.7 / 40, steps=40))


@pytest.mark.parametrize(("loss", "theirs"), [("cross_entropy", "ce"), ("dlr", "dlr")])
def test_apgd_is_not_weaker_than_that_of_torchattacks(victim, torchattacks, loss, theirs):
    found = ours(victim, apgd, eps=0.1, steps=50, loss=loss)

    not_weaker(victim, found, torchattacks.APGD(victim.model, norm="Linf", eps=0.1, steps=50, loss=theirs))


def test_square_is_not_weaker_than_that_of_torchattacks(victim, torchattacks):
    found = ours(victim, square, eps=0.1, queries=300)

    not_weaker(victim, found, torchattacks.Square(victim.model, norm="Linf", eps=0.1, n_queries=300, loss="margin"))


def test_spsa_is_not_weaker_than_that_of_torchattacks(victim, torchattacks):
    part = victim._replace(images=victim.images[:50], labels=victim.labels[:50])

    found = ours(part, spsa, eps=0.1, steps=15, samples=8, learning_rate=0.02)

    not_weaker(part, found, torchattacks.SPSA(part.model, eps=0.1, nb_iter=15, nb_sample=8, lr=0.02, delta=0.01))


def test_carlini_wagner_is_as_near_as_that_of_foolbox_within_two_percent(victim, foolbox):
    package, model = foolbox
    part = victim._replace(images=victim.images[:30], labels=victim.labels[:30])
    attack = package.attacks.L2CarliniWagnerAttack(
        binary_search_steps=5, steps=60, stepsize=0.05, initial_const=0.1, abort_early=False
    )
    other = attack(model, part.images, part.labels, epsilons=None)[0]

    found = ours(part, carlini_wagner, searches=5, steps=60)

    distances = [(images - part.images).flatten(1).norm(dim=1).mean() for images in (found, other)]
    assert not part.still_right(found).any()
    assert distances[0] <= 1.02 * distances[1]
