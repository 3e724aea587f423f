import math

import pytest
import torch

from touchstone.detectors.lid import fit, lid


def test_lid_of_hand_worked_distances():
    state = {"references": torch.tensor([[1.0], [2.0], [4.0], [100.0]], dtype=torch.float64)}

    scores = lid(torch.zeros(1, 1, dtype=torch.float64), state, k=3)

    assert scores.item() == pytest.approx(-3 / (math.log(1 / 4) + math.log(2 / 4)))


@pytest.mark.parametrize("dimension", [1, 2, 5])
def test_lid_estimates_the_dimension_of_a_uniform_cloud(dimension):
    draw = torch.Generator().manual_seed(0)
    cloud = torch.zeros(4000, 8)
    cloud[:, :dimension] = torch.rand(4000, dimension, generator=draw)
    inside = torch.zeros(300, 8)
    inside[:, :dimension] = 0.3 + 0.4 * torch.rand(300, dimension, generator=draw)

    scores = lid(inside, fit(cloud, 0, references=4000), k=50)

    assert scores.mean().item() == pytest.approx(dimension, rel=0.15)


def test_the_scale_of_the_features_does_not_matter():
    features = torch.rand(30, 4, dtype=torch.float64)

    plain, scaled = (lid(s * features[:5], fit(s * features[5:], 0), k=4) for s in (1, 100))

    torch.testing.assert_close(plain, scaled)


def test_a_row_among_its_own_references_has_a_score():
    features = torch.rand(30, 4)

    assert lid(features, fit(features, 0), k=5).isfinite().all()
    assert lid(features[:1], fit(features[:1].repeat(9, 1), 0), k=5).isfinite().all()


def test_references_are_a_seeded_draw_without_replacement():
    features = torch.arange(50.0)[:, None]

    drawn = fit(features, 1, references=20)["references"]

    assert len(torch.unique(drawn)) == 20
    assert torch.equal(drawn, fit(features, 1, references=20)["references"])
    assert not torch.equal(drawn, fit(features, 2, references=20)["references"])
    assert len(fit(features, 1)["references"]) == 50


def test_a_single_neighbour_is_refused():
    with pytest.raises(ValueError, match="k must be at least 2, got 1"):
        lid(torch.rand(2, 3), fit(torch.rand(9, 3), 0), k=1)


@pytest.mark.parametrize("scale", [1e-14, 1e-6, 1.0, 1e6])
def test_the_dimension_does_not_depend_on_the_scale_of_the_features(scale):
    """Also of a row that lies on a reference, and of one that lies on many copies of one."""
    features = torch.rand(30, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    features[20:] = features[20]

    scores = lid(features * scale, fit(features * scale, 0), k=5)

    torch.testing.assert_close(scores, lid(features, fit(features, 0), k=5))
    assert scores[20] < scores[:20].min()
