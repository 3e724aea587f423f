import torch

from touchstone.detectors.ssd import fit, ssd

FEATURES = torch.randn(200, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def state_of(centre, scale, means, whitening):
    return {"centre": centre, "scale": scale, "means": means, "whitening": whitening}


def test_with_no_mean_and_an_identity_covariance_the_score_is_the_squared_norm_of_the_direction():
    state = state_of(torch.zeros(5), torch.ones(5), torch.zeros(1, 5), torch.eye(5))

    torch.testing.assert_close(ssd(FEATURES, state), torch.ones(200, dtype=torch.float64))


def test_only_the_direction_of_features_counts():
    state = fit(FEATURES)

    torch.testing.assert_close(ssd(3 * FEATURES, state), ssd(FEATURES, state))


def test_the_mean_score_of_the_fitting_rows_is_the_number_of_directions():
    torch.testing.assert_close(ssd(FEATURES, fit(FEATURES)).mean().item(), 5.0, atol=1e-3, rtol=0)


def test_the_score_is_blind_to_a_scaling_of_single_standardised_features():
    """The Gaussian part is unchanged by any invertible linear map of what it is fitted on."""
    from touchstone.detectors._gaussians import fit_gaussians, squared_distances

    mixing = torch.randn(5, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    labels = torch.zeros(200, dtype=torch.int64)
    plain, mixed = (
        squared_distances(rows, *fit_gaussians(rows, labels, shrinkage=0.0)) for rows in (FEATURES, FEATURES @ mixing)
    )

    torch.testing.assert_close(plain, mixed)


def test_a_feature_that_never_fires_says_nothing():
    dead = torch.cat([FEATURES, torch.zeros(200, 1, dtype=torch.float64)], dim=1)

    torch.testing.assert_close(ssd(dead, fit(dead)), ssd(FEATURES, fit(FEATURES)), atol=1e-4, rtol=1e-4)
