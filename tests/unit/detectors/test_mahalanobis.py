import pytest
import torch

from touchstone.detectors.mahalanobis import fit, mahalanobis


def clusters(rows=300, width=6, classes=3, seed=0):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(rows) % classes
    mixing = torch.randn(width, width, generator=draw, dtype=torch.float64)
    noise = torch.randn(rows, width, generator=draw, dtype=torch.float64) @ mixing
    return noise + 5 * torch.eye(classes, width, dtype=torch.float64)[labels], labels


def test_identity_covariance_gives_half_the_squared_distance_to_the_nearest_mean():
    means = torch.tensor([[0.0, 0.0], [4.0, 0.0]], dtype=torch.float64)
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 1]).repeat_interleave(4)

    state = fit(torch.cat([means[0] + corners, means[1] + corners]), labels, shrinkage=0.0)

    scores = mahalanobis(torch.tensor([[0.0, 0.0], [3.0, 0.0], [4.0, 2.0], [-2.0, 1.0]]), state)
    torch.testing.assert_close(scores, torch.tensor([0.0, 0.5, 2.0, 2.5]))


def test_the_distance_does_not_depend_on_an_invertible_linear_map():
    features, labels = clusters()
    mixing = torch.randn(6, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)

    plain = mahalanobis(features, fit(features, labels, shrinkage=0.0))
    mapped = mahalanobis(features @ mixing, fit(features @ mixing, labels, shrinkage=0.0))

    torch.testing.assert_close(plain, mapped)


def test_class_numbers_may_have_gaps():
    features, labels = clusters()

    gapped = fit(features, labels * 3 + 1)

    assert all(torch.equal(values, gapped[name]) for name, values in fit(features, labels).items())


def test_a_feature_that_never_fires_needs_shrinkage():
    features, labels = clusters()
    features[:, 2] = 0

    with pytest.raises(ValueError, match="singular"):
        fit(features, labels, shrinkage=0.0)
    assert mahalanobis(features, fit(features, labels)).isfinite().all()


def test_features_without_spread_are_refused():
    with pytest.raises(ValueError, match="do not vary within a class"):
        fit(torch.eye(3).repeat(2, 1), torch.arange(3).repeat(2))


def test_mahalanobis_agrees_with_pytorch_ood():
    reference = pytest.importorskip("pytorch_ood.detector").Mahalanobis(None)
    features, labels = clusters()
    reference.fit_features(features.float(), labels)

    ours = mahalanobis(features.float(), fit(features.float(), labels, shrinkage=0.0))

    # Theirs divides by no count: it inverts the scatter, ours the covariance.
    torch.testing.assert_close(ours, len(features) * reference.predict_features(features.float()), rtol=1e-3, atol=1e-3)
