"""Outlier exposure: the loss on paper, and the five variants against each other."""

import math

import pytest
import torch
from torch import nn

from touchstone.attacks.adversary.losses import outlier_exposure
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.clean import clean
from touchstone.training.outlier_exposed import outlier_exposed

torch.set_num_threads(1)

VARIANTS = {
    "original": {"attack_inliers": False, "outliers_used": "none"},
    "adv": {"attack_inliers": True, "outliers_used": "none"},
    "oe": {"attack_inliers": False, "outliers_used": "clean"},
    "aoe": {"attack_inliers": True, "outliers_used": "clean"},
    "aloe": {"attack_inliers": True, "outliers_used": "attacked"},
}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images, outliers = torch.rand(6, 1, 2, 2, generator=generator), torch.rand(9, 1, 2, 2, generator=generator)
    return (
        images,
        torch.arange(6) % 3,
        RandomStreams(0, "in", torch.arange(6)),
        outliers,
        RandomStreams(0, "out", torch.arange(9)),
    )


def losses(model, batch, eps):
    images, labels, _, outliers, _ = batch

    def loss(switches):
        draws, outlier_draws = RandomStreams(0, "in", torch.arange(6)), RandomStreams(0, "out", torch.arange(9))
        return outlier_exposed(model, images, labels, draws, outliers, outlier_draws, eps=eps, steps=5, **switches)

    return {name: loss(switches).item() for name, switches in VARIANTS.items()}


def test_the_outlier_loss_of_equal_logits_is_log_k():
    assert float(outlier_exposure(torch.full((1, 7), 3.0))) == pytest.approx(math.log(7))


def test_the_outlier_loss_is_the_mean_negative_log_probability():
    logits = 5 * torch.randn(20, 4, generator=torch.Generator().manual_seed(0))

    loss = outlier_exposure(logits)

    torch.testing.assert_close(loss, -logits.log_softmax(1).mean(1))
    torch.testing.assert_close(loss, outlier_exposure(logits + 11))
    assert bool((loss >= math.log(4)).all())


def test_the_gradient_of_the_outlier_loss_is_probability_minus_uniform():
    logits = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    (gradient,) = torch.autograd.grad(outlier_exposure(logits).sum(), logits)

    torch.testing.assert_close(gradient, logits.softmax(1).detach() - 0.25, atol=1e-12, rtol=0)


def test_equal_logits_cost_log_k_for_the_batch_and_half_of_it_for_the_outliers(batch):
    loss = outlier_exposed(lambda images: 0 * images.flatten(1)[:, :3], *batch)

    assert float(loss) == pytest.approx(1.5 * math.log(3))


def test_the_original_variant_is_plain_training(model, batch):
    images, labels, draws, _, _ = batch

    loss = outlier_exposed(model, *batch, **VARIANTS["original"])

    assert torch.equal(loss, clean(model, images, labels, draws))


def test_at_eps_zero_an_attack_changes_no_variant(model, batch):
    found = losses(model, batch, eps=0.0)

    assert found["adv"] == found["original"]
    assert found["aoe"] == found["oe"] == found["aloe"]


def test_each_attacked_part_raises_the_loss(model, batch):
    found = losses(model, batch, eps=0.1)

    assert found["original"] < found["adv"]
    assert found["oe"] < found["aoe"] < found["aloe"]


def test_the_outlier_weight_scales_the_outlier_part_alone(model, batch):
    outliers = batch[3]
    settings = VARIANTS["oe"]

    heavy = outlier_exposed(model, *batch, **settings, outlier_weight=2.0)
    none = outlier_exposed(model, *batch, **settings, outlier_weight=0.0)

    torch.testing.assert_close(heavy - none, 2 * outlier_exposure(model(outliers)).mean())


def test_both_parts_go_through_the_network_in_one_pass_within_eps(model, batch):
    images, _, _, outliers, _ = batch
    passes = []

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, given):
            if self.training:
                passes.append(given)
            return self.inner(given)

    outlier_exposed(Watched().train(), *batch, eps=0.05, steps=3)

    (given,) = passes
    assert given.shape == (15, 1, 2, 2)
    assert 0.04 < float((given - torch.cat([images, outliers])).abs().max()) <= 0.05 + 1e-6
    assert float(given.min()) >= 0 and float(given.max()) <= 1
