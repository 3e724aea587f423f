import pytest
import torch

from touchstone.detectors.mean_intensity import mean_intensity


def test_mean_intensity_is_the_mean_over_channels_and_pixels():
    images = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2), torch.zeros(3, 2, 2)])
    images[2, 0] = 0.5

    assert mean_intensity(images).tolist() == pytest.approx([0, 1, 0.5 / 3])
