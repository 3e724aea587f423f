"""Informative outlier mining: which outliers are trained on, and that without mining it is ALOE."""

import pytest
import torch
from torch import nn

from touchstone.adversary.losses import cross_entropy, outlier_exposure
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.mined_outliers import mined_outliers
from touchstone.training.outlier_exposed import outlier_exposed
from touchstone.training.trades import trades

torch.set_num_threads(1)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))


def batch():
    generator = torch.Generator().manual_seed(0)
    images, outliers = torch.rand(6, 1, 2, 2, generator=generator), torch.rand(8, 1, 2, 2, generator=generator)
    return (
        images,
        torch.arange(6) % 3,
        RandomStreams(0, "in", torch.arange(6)),
        outliers,
        RandomStreams(0, "out", torch.arange(8)),
    )


def test_without_mining_it_is_aloe_up_to_the_order_of_outliers(model):
    mined = mined_outliers(model, *batch(), kept=1.0, skipped=0.0, eps=0.1, steps=3)
    aloe = outlier_exposed(model, *batch(), eps=0.1, steps=3)

    torch.testing.assert_close(mined, aloe, atol=1e-6, rtol=0)


def test_the_hardest_are_skipped_and_the_next_hardest_kept(model):
    images, labels, _, outliers, _ = batch()
    ranked = outlier_exposure(model(outliers)).sort(descending=True).values

    found = mined_outliers(
        model, *batch(), inliers="clean", attack_outliers=False, skipped=0.25, kept=0.5, outlier_weight=2.0
    )

    torch.testing.assert_close(found, cross_entropy(model(images), labels).mean() + 2 * ranked[2:6].mean())


def test_trades_can_be_the_inlier_part(model):
    settings = {"eps": 0.1, "steps": 3, "beta": 2.0}
    images, labels, generator, *_ = batch()

    found = mined_outliers(model, *batch(), inliers="trades", outlier_weight=0.0, **settings)

    torch.testing.assert_close(found, trades(model, images, labels, generator, **settings), atol=1e-6, rtol=0)


def test_more_than_all_outliers_are_refused(model):
    with pytest.raises(ValueError, match="at most 1"):
        mined_outliers(model, *batch(), kept=0.8, skipped=0.3)
