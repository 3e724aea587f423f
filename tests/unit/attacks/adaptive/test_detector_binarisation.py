"""Adaptive attacks with a planted error fail the binarisation test or its inversion, good ones pass both."""

from dataclasses import replace
from functools import partial

import pytest
import torch

from touchstone.attacks.adaptive.detector_binarisation import detector_binarisation
from touchstone.attacks.adaptive.high_confidence import high_confidence
from touchstone.attacks.adaptive.joint_pgd import joint_pgd
from touchstone.attacks.adaptive.mimicry import mimicry
from touchstone.attacks.adaptive.selective_pgd import selective_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.pgd import pgd
from touchstone.evaluations.statistics.sanity_checks import CHECKS
from touchstone.numerics.tensors import RandomStreams

ROWS = slice(10, 20)  # so that a problem can be planted for most of few images
PASSES = CHECKS["planted_success_rate"].passed


def brightness(images):
    return images.mean((1, 2, 3))


def relative(victim):
    """A detector that flags an image once it is brighter than the clean one by more than .002."""
    clean = victim.images[ROWS]

    def score(images):
        nearest = (images[:, None] - clean[None]).flatten(2).abs().amax(2).argmin(1)
        return brightness(images) - brightness(clean)[nearest]

    return Guarded(victim.model, score, ("images",), {}, 0.002, 0.01, {})


@pytest.fixture(scope="module")
def planted(victim):
    """Which images have a planted problem, of the test and of its inversion."""
    return {inverted: changed(relative(victim), victim, None, inverted) for inverted in (False, True)}


def changed(defence, victim, attack, inverted):
    """The images that the test changes: where it plants a problem, or where an attack solves it."""
    images, labels = victim.images[ROWS], victim.labels[ROWS]
    streams = RandomStreams(0, "attack", torch.arange(10, 20))
    found = detector_binarisation(defence, images, labels, streams, attack=attack, inverted=inverted, inner_points=300)
    return (found != images).flatten(1).any(1)


def solved(victim, attack, inverted, planted):
    """The share of planted problems that the attack solves."""
    return float(changed(relative(victim), victim, attack, inverted)[planted[inverted]].double().mean())


def oblivious(defence, images, labels, generator, *, eps=0.1):
    """A detector attacked without its gradient: PGD on the planted classifier, whatever the detector says."""
    return pgd(lambda points: defence.read(points)[0], images, labels, generator, eps=eps)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("attack", [selective_pgd, partial(joint_pgd, steps=20)], ids=["selective", "joint"])
def test_a_good_adaptive_attack_passes_both_tests(victim, planted, attack, inverted):
    assert float(planted[inverted].double().mean()) >= 0.8
    assert PASSES(solved(victim, attack, inverted, planted))


@pytest.mark.parametrize("attack", [oblivious, high_confidence])
def test_an_attack_that_ignores_the_detector_fails_one_of_the_tests(victim, planted, attack):
    passed = [PASSES(solved(victim, attack, inverted, planted)) for inverted in (False, True)]

    assert not all(passed)


def test_an_attack_with_too_few_steps_fails(victim, planted):
    weak = partial(selective_pgd, steps=3, step_size=0.01)

    assert not PASSES(solved(victim, weak, False, planted))


def test_random_search_seldom_solves_the_problems(victim):
    images, labels = victim.images[ROWS], victim.labels[ROWS]
    streams = RandomStreams(0, "attack", torch.arange(10, 20))

    found = detector_binarisation(relative(victim), images, labels, streams, corners=100, inner_points=300)

    assert CHECKS["random_success_rate"].passed(float((found != images).flatten(1).any(1).double().mean()))


def test_solutions_are_unflagged_and_of_the_inverted_test_flagged(victim):
    images, labels, defence = victim.images[ROWS], victim.labels[ROWS], relative(victim)
    for inverted in (False, True):
        streams = RandomStreams(0, "attack", torch.arange(10, 20))
        found = detector_binarisation(defence, images, labels, streams, inverted=inverted, inner_points=50)
        planted = (found != images).flatten(1).any(1)
        flagged = defence.read(found)[1] > defence.threshold
        assert planted.any() and bool((flagged[planted] == inverted).all())


def test_no_problem_is_planted_where_the_clean_image_is_flagged(victim):
    images, labels = victim.images[ROWS], victim.labels[ROWS]
    median = float(brightness(images).median())
    defence = replace(relative(victim), score=brightness, threshold=median)
    streams = RandomStreams(0, "attack", torch.arange(10, 20))

    found = detector_binarisation(defence, images, labels, streams, inverted=True, inner_points=50)

    planted = (found != images).flatten(1).any(1)
    assert planted.any() and bool((brightness(images)[planted] <= median).all())


def test_the_batch_changes_nothing(victim):
    images, labels, rows = victim.images[:6], victim.labels[:6], torch.tensor([4, 1])

    def run(rows):
        streams = RandomStreams(0, "attack", rows)
        return detector_binarisation(
            relative(victim),
            images[rows],
            labels[rows],
            streams,
            attack=partial(selective_pgd, steps=5),
            inner_points=50,
        )

    assert torch.equal(run(rows), run(torch.arange(6))[rows])


def test_an_attack_that_imitates_a_class_is_refused_because_a_planted_problem_has_none(victim):
    defence = replace(relative(victim), data=("images",), typical={"images": (torch.zeros(3, 100), torch.ones(100))})

    with pytest.raises(ValueError, match="a planted problem has none: plant another attack"):
        changed(defence, victim, partial(mimicry, eps=0.1, steps=2), False)
