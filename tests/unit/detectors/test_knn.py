import math

import pytest
import torch

from touchstone.detectors.knn import fit, knn


def test_knn_of_points_on_a_circle():
    state = fit(torch.tensor([[1.0, 0.0], [0.0, 5.0], [-2.0, 0.0]]))
    features = torch.tensor([[3.0, 0.0]])

    distances = [knn(features, state, k=k).item() for k in (1, 2, 3)]

    assert distances == pytest.approx([0, math.sqrt(2), 2])


def test_the_length_of_a_feature_does_not_matter():
    state, features = fit(torch.rand(9, 4)), torch.rand(3, 4)

    torch.testing.assert_close(knn(features, state, k=3), knn(100 * features, state, k=3))


def test_a_feature_of_zeros_has_a_score():
    assert knn(torch.zeros(1, 4), fit(torch.rand(9, 4)), k=3).item() == pytest.approx(1)


def test_more_neighbours_than_rows_are_refused():
    with pytest.raises(ValueError, match="k must be at most the 9 reference rows fitted, got 50"):
        knn(torch.rand(3, 4), fit(torch.rand(9, 4)))


def test_knn_agrees_with_pytorch_ood():
    reference = pytest.importorskip("pytorch_ood.detector").KNN(None, k=5)
    known, features = (torch.randn(n, 6, generator=torch.Generator().manual_seed(n)) for n in (80, 20))
    reference.fit_features(known, torch.zeros(80, dtype=torch.int64))

    ours = knn(features, fit(known), k=5)

    torch.testing.assert_close(ours, reference.predict_features(features).to(ours), rtol=1e-4, atol=1e-5)
