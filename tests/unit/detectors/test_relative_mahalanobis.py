import pytest
import torch

from touchstone.detectors import mahalanobis
from touchstone.detectors.relative_mahalanobis import fit, relative_mahalanobis


def clusters():
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(300) % 3
    noise = torch.randn(300, 6, generator=draw, dtype=torch.float64)
    return noise + 5 * torch.eye(3, 6, dtype=torch.float64)[labels], labels


def test_with_one_class_there_is_nothing_but_background():
    features, labels = clusters()

    scores = relative_mahalanobis(features, fit(features, torch.zeros_like(labels)))

    torch.testing.assert_close(scores, torch.zeros_like(scores))


def test_a_step_off_the_span_of_the_classes_counts_less_than_for_the_plain_distance():
    features, labels = clusters()
    ours, plain = fit(features, labels), mahalanobis.fit(features, labels)
    start, aside = ours["means"][:1], ours["means"][:1] + 4 * torch.eye(6, dtype=torch.float64)[5]

    relative = relative_mahalanobis(aside, ours) - relative_mahalanobis(start, ours)
    absolute = 2 * (mahalanobis.mahalanobis(aside, plain) - mahalanobis.mahalanobis(start, plain))

    assert relative.abs() < 0.1 * absolute


def test_relative_mahalanobis_agrees_with_pytorch_ood():
    reference = pytest.importorskip("pytorch_ood.detector").RMD(None)
    features, labels = clusters()
    reference.fit_features(features.float(), labels)

    ours = relative_mahalanobis(features.float(), fit(features.float(), labels, shrinkage=0.0))

    # Theirs divides by no count: it inverts the scatter, ours the covariance.
    torch.testing.assert_close(ours, len(features) * reference.predict_features(features.float()), rtol=1e-3, atol=2e-3)
