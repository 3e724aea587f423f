import pytest
import torch

from touchstone.attacks.margins._boundary import crossed, cut_back, largest, verified


def model(images):
    """Class 1 where the first pixel is above .7."""
    pixel = images.flatten(1)[:, 0]
    return torch.stack([0.7 + 0 * pixel, pixel], 1)


def pixels(*values):
    return torch.tensor(values, dtype=torch.float64).view(1, 1, 1, -1)


FIRST = torch.zeros(1, dtype=torch.int64)


def test_a_tie_has_not_crossed():
    assert not crossed(model, pixels(0.7), FIRST)
    assert crossed(model, pixels(0.7001), FIRST)


@pytest.mark.parametrize(("norm", "other"), [("linf", 0.1), ("l2", 0.05)])
def test_cutting_back_ends_just_beyond_the_boundary(norm, other):
    change = cut_back(model, pixels(0.5, 0.5), FIRST, pixels(0.4, 0.1), norm)

    # Clamped for L-inf, where the second pixel is never the largest; scaled for L2.
    assert crossed(model, pixels(0.5, 0.5) + change, FIRST)
    torch.testing.assert_close(change, pixels(0.2, other), rtol=1e-3, atol=0)


def test_a_change_that_does_not_cross_comes_back_as_it_is_and_is_infinitely_far():
    change = cut_back(model, pixels(0.5), FIRST, pixels(0.1), "linf")

    assert torch.equal(change, pixels(0.1))
    distance, found = verified(model, pixels(0.5), FIRST, change, "linf")
    assert distance.isposinf().all() and not found.any()


def test_a_verified_distance_is_that_of_the_point_inside_the_unit_range():
    distance, found = verified(model, pixels(0.5, 0.5), FIRST, pixels(0.4, -0.9), "linf")

    assert found.all() and distance.item() == pytest.approx(0.5)


@pytest.mark.parametrize(("norm", "longest"), [("linf", 1.0), ("l2", 4.0)])
def test_the_longest_change_is_known_of_no_images_too(norm, longest):
    assert largest(torch.zeros(0, 1, 4, 4), norm) == largest(torch.zeros(2, 1, 4, 4), norm) == longest
