import pytest
import torch

from touchstone.attacks.adversary.perturbations import Ball, check_images, check_inputs, resolve_step_size, unit_step
from touchstone.numerics.tensors import RandomStreams


def images(*pixels):
    return torch.tensor(pixels).view(1, 1, 1, -1)


def test_projection_onto_the_linf_ball_clips_to_the_box_and_to_the_unit_range():
    ball = Ball(images(0.05, 0.5, 0.95), 0.1)

    assert torch.equal(ball.project(images(-1.0, 0.55, 2.0)), images(0.0, 0.55, 1.0))


def test_projection_onto_the_l2_ball_shrinks_to_the_radius_and_leaves_inner_points():
    ball = Ball(images(0.5, 0.5), 0.1, "l2")

    torch.testing.assert_close(ball.project(images(0.8, 0.9)), images(0.56, 0.58))
    torch.testing.assert_close(ball.project(images(0.53, 0.54)), images(0.53, 0.54))


def test_projection_onto_the_l2_ball_ends_in_the_unit_range():
    ball = Ball(images(0.95, 0.5), 0.2, "l2")

    torch.testing.assert_close(ball.project(images(1.95, 0.5)), images(1.0, 0.5))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_a_unit_step_has_unit_norm_however_small_the_gradient_and_is_zero_for_none(norm):
    steps = unit_step(torch.tensor([[3e-30, -4e-30], [0.0, 0.0]]), norm)

    expected = [[1.0, -1.0], [0.0, 0.0]] if norm == "linf" else [[0.6, -0.8], [0.0, 0.0]]
    torch.testing.assert_close(steps, torch.tensor(expected))


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_starts_fill_the_ball_without_leaving_it(norm):
    ball = Ball(torch.full((2000, 1, 1, 3), 0.5), 0.2, norm)

    change = (ball.random(RandomStreams(0, "attack", torch.arange(2000))) - ball.images).flatten(1)

    radius = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    assert radius.max() <= 0.2 + 1e-6
    assert (radius / 0.2).pow(3).mean() == pytest.approx(0.5, abs=0.02)  # the share of the volume within is uniform
    assert change.mean(0).abs().max() < 0.01


@pytest.mark.parametrize(("given", "steps", "expected"), [(0.03, 5, 0.03), (None, 5, 0.05), (None, 0, 0.25)])
def test_the_default_step_covers_the_ball_two_and_a_half_times(given, steps, expected):
    assert resolve_step_size(given, 0.1, steps) == pytest.approx(expected)


def test_a_step_may_have_its_own_size_for_every_row():
    ball = Ball(torch.full((2, 1, 1, 2), 0.5), 0.3)

    moved = ball.step(ball.images, torch.ones(2, 1, 1, 2), torch.tensor([0.1, 0.9]).view(2, 1, 1, 1))

    torch.testing.assert_close(moved.flatten(1), torch.tensor([[0.6, 0.6], [0.8, 0.8]]))


def test_images_that_are_not_finite_floats_in_the_unit_range_are_refused():
    for bad, message in [
        (images(0.1, float("nan")), "NaN"),
        (images(0.0, 1.5), r"\[0, 1.5\], expected \[0, 1\]"),
        (images(-0.5, 1.0), r"\[-0.5, 1\]"),
        (images(0, 1), "expected floats"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_images(bad)


def test_labels_must_be_classes_of_the_model():
    model = lambda x: x.flatten(1)  # noqa: E731

    assert check_inputs(model, images(0.1, 0.2), torch.tensor([1])) == 2
    for labels, message in [
        (torch.tensor([2]), "the model has 2 classes"),
        (torch.tensor([-1]), "the model has 2 classes"),
        (torch.tensor([0, 1]), "expected int64"),
        (torch.tensor([0.0]), "expected int64"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_inputs(model, images(0.1, 0.2), labels)
