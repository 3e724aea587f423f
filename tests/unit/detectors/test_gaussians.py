import torch

from touchstone.detectors._gaussians import fit_gaussians, squared_distances

torch.set_num_threads(1)


def test_shrinkage_mixes_in_the_mean_variance():
    features = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]], dtype=torch.float64)
    covariance = torch.tensor([2.0, 0.5], dtype=torch.float64).diag()

    means, whitening = fit_gaussians(features, torch.zeros(4), shrinkage=0.2)

    expected = 0.8 * covariance + 0.2 * 1.25 * torch.eye(2, dtype=torch.float64)
    torch.testing.assert_close(whitening @ whitening.T, expected.inverse())
    assert torch.equal(means, torch.zeros(1, 2, dtype=torch.float64))


def test_the_covariance_is_pooled_over_classes_around_their_own_means():
    labels = torch.tensor([0, 0, 0, 0, 1, 1])
    features = torch.tensor([[1.0], [-1.0], [1.0], [-1.0], [10.0], [14.0]], dtype=torch.float64)

    means, whitening = fit_gaussians(features, labels, shrinkage=0.0)

    assert means.tolist() == [[0.0], [12.0]]
    torch.testing.assert_close(whitening[0, 0] ** -2, torch.tensor((4 * 1 + 2 * 4) / 6, dtype=torch.float64))


def test_distances_of_float32_features_do_not_lose_what_whitening_blows_up():
    draw = torch.Generator().manual_seed(0)
    features = torch.randn(500, 4, generator=draw) * torch.tensor([1.0, 1.0, 1.0, 1e-4]) + 100
    means, whitening = fit_gaussians(features, torch.zeros(500), shrinkage=0.0)

    narrow = squared_distances(features, means, whitening)

    wide = squared_distances(features.double(), means, whitening)
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-6, atol=0)
