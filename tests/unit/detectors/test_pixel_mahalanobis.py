import pytest
import torch

from touchstone.detectors.pixel_mahalanobis import fit, pixel_mahalanobis


def drawn(rows=4000):
    """Two lively pixels, one faint one and one that is always black."""
    noise = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    pixels = torch.cat([noise * torch.tensor([0.2, 0.1, 0.01]) + 0.5, torch.zeros(rows, 1)], dim=1)
    return pixels.view(rows, 1, 2, 2)


def test_the_distance_is_in_standard_deviations_along_lively_directions():
    state = fit(drawn(), explained=0.999)
    centre = state["mean"].view(1, 1, 2, 2)
    steps = torch.zeros(2, 1, 2, 2, dtype=torch.float64)
    steps[0, 0, 0, 0], steps[1, 0, 0, 1] = 0.2, 0.2  # one and two standard deviations

    scores = pixel_mahalanobis(centre + steps, state)

    torch.testing.assert_close(scores, torch.tensor([0.5, 2.0], dtype=torch.float64), rtol=0.1, atol=0)
    assert pixel_mahalanobis(centre, state).item() == pytest.approx(0, abs=1e-12)


def test_directions_left_out_share_the_mean_of_what_is_left():
    images = drawn()

    state = fit(images, explained=0.9)

    values = torch.linalg.eigvalsh(torch.cov(images.flatten(1).T, correction=0)).flip(0)
    assert state["components"].shape == (4, 1)
    torch.testing.assert_close(state["variances"], values[:1])
    torch.testing.assert_close(state["residual"], values[1:].mean().view(1))


def test_a_pixel_that_was_always_black_may_light_up():
    state = fit(drawn(), explained=0.999)
    images = drawn()[:2].clone()
    images[1, 0, 1, 1] = 0.5

    dark, lit = pixel_mahalanobis(images, state)

    assert torch.isfinite(lit)
    assert lit > 100 * dark


def test_fewer_images_than_pixels_are_enough():
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))

    scores = pixel_mahalanobis(images, fit(images))

    assert scores.isfinite().all()


def test_explaining_everything_is_refused():
    with pytest.raises(ValueError, match="explained must be < 1, got 1"):
        fit(drawn(5), explained=1.0)


def test_images_that_do_not_vary_are_refused():
    with pytest.raises(ValueError, match="do not vary"):
        fit(torch.full((4, 1, 2, 2), 0.3))
