"""Pipelines whose answers are known, and the wrappers for what has no gradient or is random."""

import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.attacks.adversary.defences import Guarded, Pipeline, Straight

torch.set_num_threads(1)


def brightness(images):
    return images.mean((1, 2, 3))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Softplus(), nn.Linear(8, 3)).double()


@pytest.fixture
def translator():
    torch.manual_seed(1)
    layer = nn.Conv2d(1, 1, 3, padding=1)
    return nn.Sequential(layer, nn.Sigmoid()).double()


def images(count=9):
    return torch.rand((count, 1, 4, 4), generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def router(model, threshold):
    return Guarded(model, brightness, ("images",), {}, threshold, 0.1, {})


@pytest.mark.parametrize("threshold", [-math.inf, 0.5, math.inf, None])
def test_a_translator_that_changes_nothing_leaves_the_network_whatever_the_router_says(model, threshold):
    guard = None if threshold is None else router(model, threshold)
    pipeline = Pipeline(model, [nn.Identity()], guard)

    torch.testing.assert_close(pipeline(images()), model(images()), rtol=0, atol=0)


def test_an_endless_threshold_gives_the_network_and_its_negative_the_translated_network(model, translator):
    let_through = Pipeline(model, [translator], router(model, math.inf))
    translated = Pipeline(model, [translator], router(model, -math.inf))

    assert torch.equal(let_through(images()), model(images()))
    assert torch.equal(translated(images()), model(translator(images())))
    assert torch.equal(Pipeline(model, [translator])(images()), model(translator(images())))


def test_each_image_goes_its_own_way_whatever_batch_it_comes_in(model, translator):
    pipeline = Pipeline(model, [translator], router(model, 0.5))
    turned = torch.arange(9).flip(0)

    whole, paths = pipeline(images()), pipeline.paths(images())

    assert 0 < int(paths.routed.sum()) < 9
    torch.testing.assert_close(pipeline(images()[turned])[turned], whole)
    torch.testing.assert_close(torch.cat([pipeline(images()[:4]), pipeline(images()[4:])]), whole)


def test_the_gradient_goes_through_the_path_that_is_taken_as_finite_differences_say(model, translator):
    pipeline = Pipeline(model, [translator], router(model, 0.5))
    labels = torch.arange(9) % 3
    loss = partial(functional.cross_entropy, target=labels, reduction="sum")
    points = images().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(pipeline(points)), points)

    step = 1e-6 * torch.randn(points.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    with torch.no_grad():
        difference = loss(pipeline(points + step)) - loss(pipeline(points - step))

    assert float(difference) == pytest.approx(float(2 * (gradient * step).sum()), rel=1e-5)


def test_a_router_may_read_another_network_than_the_one_that_it_protects(model, translator):
    torch.manual_seed(4)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).double()
    guard = Guarded(encoder, lambda logits: logits[:, 0], ("logits",), {}, 0.0, 1.0, {})
    pipeline = Pipeline(model, [translator], guard)

    routed = (encoder(images())[:, 0] > 0)[:, None]

    assert 0 < int(routed.sum()) < 9
    expected = torch.where(routed, model(translator(images())), model(images()))
    torch.testing.assert_close(pipeline(images()), expected)
    assert len(list(pipeline.parameters())) == sum(len(list(m.parameters())) for m in (model, translator, encoder))


def test_several_translators_give_the_mean_of_their_logits(model, translator):
    pipeline = Pipeline(model, [nn.Identity(), translator])

    expected = (model(images()) + model(translator(images()))) / 2

    torch.testing.assert_close(pipeline(images()), expected)


class Subtracts(nn.Module):
    def forward(self, points):
        return (points - 0.05).clamp(0, 1)


def test_a_linear_denoiser_undoes_the_attack_that_it_knows(model):
    clean = 0.2 + 0.6 * images()

    defended = Pipeline(model, [Subtracts()])(clean + 0.05)

    torch.testing.assert_close(defended, model(clean), rtol=0, atol=1e-12)


def test_a_pipeline_gives_no_graph_where_gradients_are_off(model, translator):
    pipeline = Pipeline(model, [translator], router(model, 0.5))

    with torch.no_grad():
        paths = pipeline.paths(images())

    assert not any(part.requires_grad for part in (paths.logits, paths.scores))


def test_a_straight_part_acts_as_it_is_and_looks_like_the_identity():
    rounding = Straight(torch.round)
    points = images().requires_grad_()

    rounded = rounding(points)
    (gradient,) = torch.autograd.grad((rounded * torch.arange(16.0).view(1, 1, 4, 4)).sum(), points)

    torch.testing.assert_close(rounded, points.round())
    assert torch.equal(gradient[0, 0], torch.arange(16.0, dtype=torch.float64).view(4, 4))
