import pytest
import torch

from touchstone.attacks.adversary.apgd_step_halving import _checkpoints, ascend_with_step_halving
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.perturbations import Ball


def test_checkpoints_come_closer_until_they_are_six_percent_apart():
    # p = 0, .22, then + max(p_j - p_(j-1) - .03, .06): .22 .41 .57 .70 .80 .87 .93 .99
    assert _checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert _checkpoints(1) == [1]


def visits(steps, kept_by=None):
    """Return the points that one run evaluates, and its result: one pixel from .5 in [.1, .9], loss highest at .6."""
    points = []

    def model(images):
        points.append(round(images.item(), 6))
        return -((images.flatten(1) - 0.6) ** 2)

    goal = Goal(torch.zeros(1, dtype=torch.int64), lambda logits, labels: logits[:, 0], kept_by=kept_by)
    middle = torch.full((1, 1, 1, 1), 0.5, dtype=torch.float64)
    best, _ = ascend_with_step_halving(model, goal, Ball(middle, 0.4), middle, steps=steps)
    return points, best.item()


def test_the_first_steps_are_those_worked_by_hand():
    # Step size .8: .5 -> .9; then .75 of the step to .1 and .25 of the last move: .9 - .6 + .1; then .4 + .375 - .125.
    assert visits(100)[0][:4] == [0.5, 0.9, 0.4, 0.65]


def test_at_a_checkpoint_that_did_not_pay_the_step_is_halved_and_goes_on_from_the_best_point():
    # With three steps there is a checkpoint after each. .9 was worse: back to .5, step size .4, .5 + .75 * .4.
    assert visits(3)[0][:3] == [0.5, 0.9, 0.8]


def test_the_point_that_is_kept_is_the_best_by_the_value_of_the_goal_and_the_path_is_the_same():
    path, kept = visits(100, kept_by=lambda logits, labels: -logits[:, 0])

    assert path == visits(100)[0] and kept == pytest.approx(max(path, key=lambda x: abs(x - 0.6)))


def test_halved_steps_close_in_on_a_maximum_inside_the_ball():
    assert visits(100)[1] == pytest.approx(0.6, abs=1e-3)
