import pytest
import torch

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.square_search import _side, _squares, search_with_squares
from touchstone.attacks.pgd import pgd
from touchstone.attacks.random_sign import random_sign
from touchstone.attacks.square import square
from touchstone.numerics.tensors import RandomStreams


def run(victim, **settings):
    return square(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def test_squares_shrink_from_eighty_percent_of_the_image_to_one_pixel():
    assert [_side(query, 10_000, 28, 28) for query in (1, 11, 51, 1001, 9999)] == [25, 18, 13, 4, 1]
    assert _side(1, 1000, 4, 40) == 4  # never longer than the shorter side


def test_each_image_gets_one_square_of_one_sign_per_channel_at_its_own_place():
    marks = _squares(RandomStreams(0, "attack", torch.arange(300)), 3, 6, 9, 2, torch.float32)

    assert marks.shape == (300, 3, 6, 9)
    assert (marks.abs().sum((2, 3)) == 4).all()
    assert set(marks.sum((2, 3)).unique().tolist()) == {-4.0, 4.0}
    assert (marks.abs().amax((0, 1)) == 1).all()  # every pixel is reached, the last row and column too


def test_square_is_stronger_than_random_signs_and_weaker_than_pgd(victim):
    right = [
        int(victim.still_right(found).sum())
        for found in (
            random_sign(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, draws=20),
            run(victim, eps=0.1, queries=300),
            pgd(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, loss="margin"),
        )
    ]

    assert right[0] > right[1] >= right[2] - 1


def test_the_margin_loss_is_never_below_that_of_the_image(victim):
    found = run(victim, eps=0.02, queries=5)

    with torch.no_grad():
        margins = [margin_loss(victim.model(images), victim.labels) for images in (victim.images, found)]
    assert (margins[1] >= margins[0]).all()


def test_square_never_asks_for_a_gradient(victim):
    @torch.no_grad()
    def scores(images):
        return victim.model(images)

    found = square(scores, victim.images[:5], victim.labels[:5], victim.draws().take(torch.arange(5)), queries=10)

    assert not torch.equal(found, victim.images[:5])


@pytest.mark.parametrize("stop", [False, True])
def test_each_image_costs_at_most_the_queries_and_two_looks_at_the_image(victim, stop):
    asked = []

    def counting(images):
        asked.append(len(images))
        return victim.model(images)

    square(counting, victim.images, victim.labels, victim.draws(), eps=0.3, queries=50, stop_on_success=stop)

    if stop:
        assert sum(asked) < 0.6 * 50 * 100
    else:
        assert sum(asked) == 50 * 100 + 100 + 1


def test_stopping_at_success_gives_the_same_robust_accuracy(victim):
    full, stopped = [victim.still_right(run(victim, eps=0.1, queries=100, stop_on_success=stop)) for stop in (0, 1)]

    assert torch.equal(full, stopped)


def test_a_wrong_point_of_a_lower_loss_still_ends_the_search_if_it_is_a_success():
    images, labels = torch.full((2, 1, 4, 4), 0.5), torch.zeros(2, dtype=torch.int64)
    earlier = torch.tensor([5.0, -5.0])  # the first image has a wrong point, which was right on the grid

    def every_wrong_point(goal, ball, points, logits):
        return goal.reached(logits)

    found, loss = search_with_squares(
        lambda points: torch.tensor([[0.0, 1.0]]).expand(len(points), 2),
        labels,
        Ball(images, 0.1),
        RandomStreams(0, "attack", torch.arange(2)),
        images,
        earlier,
        queries=3,
        success=every_wrong_point,
    )

    assert loss.isinf().all() and (found != images).flatten(1).any(1).all()
