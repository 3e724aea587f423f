import numpy as np
import pytest

from touchstone.data.ingest.pixels import blurred, from_levels, from_pictures, resized, tiles, to_levels, to_pictures


def test_to_levels_rounds_to_the_nearest_and_clips():
    values = np.array([-0.1, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 1.0, 1.2])

    levels = to_levels(values)

    assert levels.tolist() == [0, 0, 0, 1, 254, 255, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_to_levels_refuses_nan_and_infinity(bad):
    with pytest.raises(ValueError, match="NaN or infinity"):
        to_levels(np.array([0.5, bad]))


def test_every_level_comes_back_from_its_float():
    levels = np.arange(256, dtype=np.uint8)

    np.testing.assert_array_equal(to_levels(from_levels(levels)), levels)


def test_from_levels_gives_the_grid_that_tensors_rounds_to():
    import torch

    from touchstone.numerics.tensors import to_grid

    grid = from_levels(np.arange(256, dtype=np.uint8))

    np.testing.assert_array_equal(to_grid(torch.from_numpy(grid)).numpy(), grid)


def test_resized_interpolates_between_two_pixels():
    found = resized(np.array([[0.0, 1.0]]), 1, 4)

    np.testing.assert_allclose(found, [[0.0, 0.25, 0.75, 1.0]])


def test_resized_keeps_the_mean_when_it_halves():
    images = np.random.default_rng(0).random((2, 3, 8, 8))

    small = resized(images, 4, 4)

    assert small.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(small.mean(), images.mean(), atol=0.02)


def test_blurred_spreads_a_dot_as_a_gaussian_within_its_own_channel():
    pytest.importorskip("skimage", reason="the library alone")
    images = np.zeros((1, 2, 9, 9))
    images[0, 0, 4, 4] = 1

    smooth = blurred(images, 1.0)

    np.testing.assert_allclose(smooth[0, 0, 4, 5] / smooth[0, 0, 4, 4], np.exp(-0.5), rtol=1e-6)
    np.testing.assert_allclose(smooth[0, 0].sum(), 1, rtol=1e-6)
    assert not smooth[0, 1].any()


def test_tiles_stand_side_by_side_and_are_numbered_row_by_row():
    photograph = np.arange(4 * 6, dtype=float).reshape(4, 6)

    found, numbers = tiles([photograph, photograph + 100], size=2, stride=None, scale=1, count=None)

    assert found.shape == (12, 1, 2, 2)
    assert numbers.tolist() == list(range(12))
    assert found[1, 0].tolist() == [[2, 3], [8, 9]]
    assert found[3, 0, 0, 0] == 12
    assert found[6, 0, 0, 0] == 100


def test_tiles_with_a_stride_overlap():
    found, _ = tiles([np.arange(16.0).reshape(4, 4)], size=2, stride=1, scale=1, count=None)

    assert found.shape == (9, 1, 2, 2)
    assert found[1, 0].tolist() == [[1, 2], [5, 6]]


def test_tiles_take_a_count_evenly_spaced_with_their_numbers():
    photograph = np.arange(8.0)[None].repeat(1, axis=0)

    found, numbers = tiles([photograph], size=1, stride=None, scale=1, count=4)

    assert numbers.tolist() == [0, 2, 4, 6]
    assert found[:, 0, 0, 0].tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 5}, "size must be at most 4"),
        ({"scale": 1.5}, "scale must be above 0"),
        ({"count": 5}, "count must be at most 4"),
    ],
)
def test_tiles_say_which_setting_does_not_fit(settings, words):
    with pytest.raises(ValueError, match=words):
        tiles([np.zeros((4, 4))], **{"size": 2, "stride": None, "scale": 1, "count": None} | settings)


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_as_the_same_images(channels):
    images = from_levels(np.random.default_rng(0).integers(0, 256, (2, channels, 5, 4), np.uint8))

    np.testing.assert_array_equal(from_pictures(to_pictures(images)), images)


def test_pictures_have_one_or_three_channels():
    with pytest.raises(ValueError, match="1 or 3 channels, got 2"):
        to_pictures(np.zeros((1, 2, 4, 4), np.float32))
