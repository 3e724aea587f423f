from dataclasses import replace

import pytest
import torch
from torch import nn

from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.lowest_scores import lower_scores, lowest_of, rank, selective
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.numerics.tensors import RandomStreams

IMAGES = torch.full((3, 1, 2, 2), 131 / 255)
LABELS = torch.ones(3, dtype=torch.int64)
BORDER = 127.5 / 255  # between two grid points


def guarded(threshold=0.0):
    """Class 1 for means above 127.5/255; the score is the distance from the images, so the best wrong point is nearest."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([-torch.ones(4), torch.ones(4)]) / 4)
        model[1].bias.copy_(torch.tensor([BORDER, -BORDER]))
    return Guarded(
        model, lambda points: (points - 131 / 255).square().sum((1, 2, 3)), ("images",), {}, threshold, 1e-4, {}
    )


def nearest_wrong_point(eps=0.1, steps=60):
    streams = RandomStreams(0, "attack", torch.arange(3))
    return lower_scores(guarded(), Ball(IMAGES, eps), LABELS, streams, [selective], steps=steps, restarts=1)


def test_the_points_are_on_the_grid_where_they_are_stored():
    points = nearest_wrong_point() * 255

    assert (points - points.round()).abs().max() < 1e-3


def test_the_wrong_point_with_the_lowest_score_is_reached_up_to_a_grid_step():
    points = nearest_wrong_point()
    wrong = guarded().model(points).argmax(1) == 0

    assert wrong.all()
    # Closed form on the grid: the four pixels must sum to 509/255 or less, which costs 15 steps, at best 4 + 4 + 4 + 3.
    best = (3 * 4**2 + 3**2) / 255**2
    scores = guarded().score(points)
    assert ((scores >= best - 1e-7) & (scores <= 1.35 * best)).all()


def test_lower_scores_rank_higher_among_wrong_points_and_every_wrong_point_above_every_right_one():
    margins = torch.tensor([0.1, 9.0, 0.1, 0.1, 0.0, -3.0])
    excesses = torch.tensor([-500.0, -3.0, 0.0, 900.0, -9.0, -9.0])

    ranks = rank(margins, excesses)

    assert ranks.tolist() == sorted(ranks.tolist(), reverse=True)
    assert len(set(ranks.tolist())) == 6
    assert (ranks >= 1).tolist() == [True, True, True, False, False, False]
    assert (ranks > 0).tolist() == [True, True, True, True, False, False]


def test_ranks_tell_points_apart_however_sure_the_network_or_the_detector_is():
    margins = torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, -9.0, -20.0, -21.0, -500.0])
    excesses = torch.tensor([-torch.inf, -90_000.0, -80_000.0, 0.0, 1e-9, 1e9, 1e10, torch.inf, 0.0, 0.0, 0.0, 0.0])

    ranks = rank(margins, excesses)

    assert ranks.tolist() == sorted(ranks.tolist(), reverse=True)
    assert len(set(ranks.tolist())) == 12
    assert (ranks >= 1).tolist() == [True] * 4 + [False] * 8


def test_a_score_that_is_not_a_number_on_the_way_does_not_end_the_search():
    defence = replace(
        guarded(), score=lambda points: points.mean((1, 2, 3)).where(points.mean((1, 2, 3)) < 0.48, torch.nan)
    )
    candidates = [torch.full((3, 1, 2, 2), value / 255) for value in (125, 100)]

    best = lowest_of(defence, torch.full((3, 1, 2, 2), 90 / 255), LABELS, candidates)

    assert torch.allclose(best, torch.full((3, 1, 2, 2), 90 / 255))
    assert torch.allclose(lowest_of(defence, candidates[1], LABELS, [candidates[0], best]), best)


@pytest.mark.parametrize("order", [1, -1])
def test_the_best_candidate_is_wrong_with_the_lowest_score_in_any_order(order):
    candidates = [torch.full((3, 1, 2, 2), value / 255) for value in (100, 126, 129)][::order]

    best = lowest_of(guarded(), IMAGES, LABELS, candidates)

    assert torch.allclose(best, torch.full((3, 1, 2, 2), 126 / 255))
