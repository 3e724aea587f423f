"""Sets that come from a random generator alone."""

import numpy as np
import pytest

from touchstone.data.blobs import blobs
from touchstone.data.checkerboards import checkerboards
from touchstone.data.gaussian_noise import gaussian_noise
from touchstone.data.standard_normal import standard_normal
from touchstone.data.uniform_noise import uniform_noise


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def test_uniform_noise_has_the_moments_of_a_uniform(generator):
    images = uniform_noise(generator, count=100, size=20, channels=3).images

    assert images.shape == (100, 3, 20, 20)
    np.testing.assert_allclose(images.mean(), 0.5, atol=0.005)
    np.testing.assert_allclose(images.var(), 1 / 12, atol=0.002)


def test_gaussian_noise_is_normal_where_it_is_not_clipped(generator):
    images = gaussian_noise(generator, count=100, size=20).images

    inside = (images > 0) & (images < 1)
    np.testing.assert_allclose(inside.mean(), 0.954, atol=0.005)
    np.testing.assert_allclose(((images > 0.25) & (images < 0.75)).mean(), 0.683, atol=0.01)


def test_gaussian_noise_takes_mean_and_std(generator):
    images = gaussian_noise(generator, count=100, size=20, mean=0.3, std=0.05).images

    np.testing.assert_allclose([images.mean(), images.std()], [0.3, 0.05], atol=0.002)


def test_blobs_are_black_or_above_the_threshold_and_smooth(generator):
    images = blobs(generator, count=50, size=28).images

    assert ((images == 0) | (images >= 0.75 - 1 / 255)).all()
    assert 0.1 < (images > 0).mean() < 0.6
    beside = (images[..., 1:] > 0) == (images[..., :-1] > 0)
    assert beside.mean() > 0.8  # independent pixels of this density would agree in 57 %


def test_blobs_of_full_density_are_white(generator):
    assert (blobs(generator, count=2, size=8, density=1.0).images == 1).all()


def test_a_checkerboard_has_two_grays_and_squares_of_its_side(generator):
    images = checkerboards(generator, count=30, size=28, smallest=4, largest=4).images[:, 0]

    for board in images:
        assert len(np.unique(board)) == 2
        across = board[0]
        changes = np.flatnonzero(across[1:] != across[:-1])
        assert set(np.diff(changes)) == {4}
        np.testing.assert_allclose(board[4:], board.max() + board.min() - board[:-4], rtol=1e-6)


def test_checkerboards_differ_in_side_corner_and_gray(generator):
    images = checkerboards(generator, count=200, size=28).images[:, 0]

    changes = (images[:, 0, 1:] != images[:, 0, :-1]).sum(axis=1)
    assert set(changes) >= {3, 4, 13, 14}
    assert images.max(axis=(1, 2)).min() >= 0.6 - 1 / 255
    assert images.min(axis=(1, 2)).max() <= 0.4 + 1 / 255
    assert 0.3 < (images[:, 0, 0] > 0.5).mean() < 0.7


@pytest.mark.parametrize("settings", [{"smallest": 8}, {"largest": 28}])
def test_checkerboards_that_cannot_be_drawn_are_refused(generator, settings):
    with pytest.raises(ValueError, match="smallest <= largest < size"):
        checkerboards(generator, count=1, size=28, **settings)


def test_standard_normal_noise_is_kept_as_drawn_beside_its_clipped_version():
    found = standard_normal(np.random.default_rng(0), count=50)

    assert found.unquantised.min() < -3 and found.unquantised.max() > 3
    assert abs(found.unquantised.mean()) < 0.02 and abs(found.unquantised.std() - 1) < 0.02
    np.testing.assert_allclose(found.images, found.unquantised.clip(0, 1), atol=0.5 / 255 + 1e-6)
