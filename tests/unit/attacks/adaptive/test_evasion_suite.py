import sys
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive import selective_pgd
from touchstone.attacks.adaptive.evasion_suite import _both, evasion_suite
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import margin_and_excess
from touchstone.attacks.adversary.losses import cross_entropy, margin_loss
from touchstone.attacks.adversary.lowest_scores import lower_scores, lowest_of, selective
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.planted import PlantedDefence, Readout, logits_and_features
from touchstone.numerics.tensors import RandomStreams


def guarded():
    """A small network with three classes, behind a quadratic score of its hidden layer."""
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 3)).eval()
    with torch.no_grad():
        model[3].weight.mul_(4)

    def score(logits, images):
        return (logits - 0.3).square().sum(1) + 8 * images.std((1, 2, 3))

    return Guarded(model, score, ("logits", "images"), {}, 2.0, 1.0, {})


def member_alone(defence, images, labels, streams, *, eps, steps):
    return lower_scores(defence, Ball(images, eps), labels, streams, [selective], restarts=5, steps=steps)


def first_members(defence, images, labels, streams, *, eps, steps):
    """The members of the suite that every image gets, with one weight."""
    both = [partial(_both, weight=1.0)]
    sums = [
        lower_scores(defence, Ball(images, eps), labels, streams, both, loss=loss, steps=steps)
        for loss in (cross_entropy, margin_loss)
    ]
    alone = member_alone(defence, images, labels, streams, eps=eps, steps=steps)
    return lowest_of(defence, images, labels, [alone, *sums])


def scores_of_wrong_points(attack, **settings):
    defence = guarded()
    images = (torch.rand((60, 1, 4, 4), generator=torch.Generator().manual_seed(1)) * 255).round() / 255
    labels = defence.model(images).argmax(1)
    streams = RandomStreams(0, "attack", torch.arange(60))
    points = attack(defence, images, labels, streams, eps=0.1, steps=20, **settings)
    margin, excess = margin_and_excess(defence, points, labels)
    return torch.where(margin > 0, excess, torch.inf)


def test_the_suite_is_at_least_as_strong_as_its_first_member_at_every_threshold():
    suite, member = scores_of_wrong_points(evasion_suite), scores_of_wrong_points(member_alone)

    assert (suite <= member + 1e-6).all()
    assert (suite < member - 1e-2).float().mean() > 0.1


def caught(attack, **settings):
    return (scores_of_wrong_points(attack, **settings) > 0).float().mean()


def test_images_that_the_first_members_bring_past_are_left_as_they_are():
    suite, members = scores_of_wrong_points(evasion_suite, weights=[1.0]), scores_of_wrong_points(first_members)

    assert torch.equal(suite[members <= 0], members[members <= 0])
    assert (suite[members > 0] <= members[members > 0]).all() and (suite < members).any()


def test_a_score_without_a_gradient_is_searched_with_squares(monkeypatch):
    def score(logits, images):  # the steps of a staircase are flat
        return (60 * images.std((1, 2, 3))).floor() + 0 * logits.sum(1)

    blind_to_gradients = replace(guarded(), score=score, threshold=16.0)
    monkeypatch.setattr(sys.modules[__name__], "guarded", lambda: blind_to_gradients)

    blind, searched = (caught(evasion_suite, queries=queries) for queries in (0, 500))

    assert searched < blind - 0.05


def test_a_planted_problem_that_the_first_members_leave_is_attacked_towards_its_own_two_classes():
    defence, draws = guarded(), RandomStreams(0, "attack", torch.arange(1))
    image = torch.full((1, 1, 4, 4), 0.5)
    features = logits_and_features(defence.model, image)[1][0]
    unreachable = Readout(features / features.norm(), threshold=100.0, scale=1.0)
    settings = {field.name: getattr(defence, field.name) for field in fields(defence)}
    planted = PlantedDefence(**settings, readout=unreachable)

    points = evasion_suite(planted, image, torch.zeros(1, dtype=torch.int64), draws, steps=1, restarts=1, queries=0)

    assert int(planted.read(points)[0].argmax(1)) == 0


@pytest.mark.parametrize("size", [1.0, 1e-6, 1e-13, 1e-20, 1e-30, 0.0])
def test_a_gradient_is_made_orthogonal_to_the_other_one_however_small_that_is(size):
    generator = torch.Generator().manual_seed(0)
    gradient, other = (torch.randn(5, 1, 3, 3, generator=generator) for _ in range(2))

    left = selective_pgd._without(gradient, size * other)

    along = (left * other).flatten(1).sum(1).abs() / (left.flatten(1).norm(dim=1) * other.flatten(1).norm(dim=1))
    assert (along < 1e-6).all() or (size == 0 and torch.equal(left, gradient))
