import pytest
import torch

from touchstone.attacks.adversary.ascent import ascend
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.perturbations import Ball


def model(images):
    """Class 1 beyond .5; the third logit, which the goal raises, is highest at .2."""
    pixel = images.flatten(1)[:, 0]
    return torch.stack([0.5 + 0 * pixel, pixel, -((pixel - 0.2) ** 2)], 1)


def climb(*starts, best_loss, stop_on_success=False, steps=1):
    start = torch.tensor(starts, dtype=torch.float64).view(-1, 1, 1, 1)
    goal = Goal(torch.zeros(len(starts), dtype=torch.int64), lambda logits, labels: logits[:, 2])
    best, loss = ascend(
        model, goal, Ball(start, 0.6), start, torch.zeros_like(start), torch.tensor(best_loss, dtype=torch.float64),
        steps=steps, step_size=0.5, stop_on_success=stop_on_success,
    )  # fmt: skip
    return best.flatten().tolist(), loss.tolist()


def test_the_highest_loss_point_is_kept_the_start_and_the_last_one_included():
    best, loss = climb(0.15, 0.75, best_loss=[-9.0, -9.0])  # .15 goes up to .65, .75 down to .25

    assert best == [0.15, 0.25]
    assert loss == pytest.approx([-0.0025, -0.0025])


def test_a_better_point_from_before_stays():
    best, loss = climb(0.15, best_loss=[-0.001])

    assert best == [0.0] and loss == [-0.001]


def test_the_first_success_stops_with_that_point_even_at_a_lower_loss():
    best, loss = climb(0.15, best_loss=[-9.0], stop_on_success=True, steps=5)

    assert best == [pytest.approx(0.65)] and loss == [float("inf")]


def test_finished_rows_are_left_as_they_are():
    best, loss = climb(0.15, 0.15, best_loss=[float("inf"), -9.0], stop_on_success=True)

    assert best == [0.0, pytest.approx(0.65)] and loss == [float("inf")] * 2
