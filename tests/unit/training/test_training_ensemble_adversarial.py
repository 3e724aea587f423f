"""Ensemble adversarial training: on which network each image is attacked, and what that makes of the loss."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.attacks.fgsm import fgsm
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean
from touchstone.training.ensemble_adversarial import ensemble_adversarial

torch.set_num_threads(1)
STEP = partial(fgsm, eps=0.1)


def batch(rows, seed=0, epoch=0):
    """Images with labels and draws by their ids, fresh at every call."""
    images = 0.4 + 0.2 * torch.rand(3000, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    return images[rows], rows % 3, RandomStreams(seed, f"attack.{epoch}", rows)


def linear(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


@pytest.fixture
def networks():
    """The network in training and two static ones."""
    return linear(0), [linear(1), linear(2)]


def marking(networks):
    """An attack whose images say on which network they were made: 0 in training, 1, 2 static."""

    def mark(model, images, labels, generator):
        return torch.full_like(images, networks.index(model))

    return mark


def made_on(model, static, rows, given=batch, **settings):
    """Return, per image, the place of the network that it was attacked on."""
    seen = []

    def watching(images):
        seen.append(images[:, 0, 0, 0].clone())
        return model(images)

    networks = [watching, *static]
    ensemble_adversarial(watching, *given(rows), static, attack=marking(networks), clean_weight=0.0, **settings)
    return seen[-1].long()


def test_with_probability_1_the_attacked_batch_is_that_of_the_static_network(networks):
    model, (static, _) = networks
    images, labels, draws = batch(torch.arange(6))

    loss = ensemble_adversarial(model, images, labels, draws, [static], attack=STEP, static_share=1.0)

    weight = static[1].weight
    gradient = (static(images).softmax(1) - functional.one_hot(labels, 3)) @ weight  # of the cross-entropy in the image
    attacked = (images + 0.1 * gradient.view_as(images).sign()).clamp(0, 1)
    expected = 0.5 * functional.cross_entropy(model(images), labels) + 0.5 * functional.cross_entropy(
        model(attacked), labels
    )
    torch.testing.assert_close(loss, expected)
    assert not torch.equal(attacked, STEP(model, images, labels, draws))


@pytest.mark.parametrize("clean_weight", [0.0, 0.3, 1.0])
def test_with_probability_0_it_is_adversarial_training_bit_for_bit(networks, clean_weight):
    model, static = networks
    images, labels, draws = batch(torch.arange(6))
    settings = {"attack": STEP, "clean_weight": clean_weight}

    loss = ensemble_adversarial(model, images, labels, draws, static, static_share=0.0, **settings)

    assert torch.equal(loss, adversarial(model, images, labels, draws, **settings))


def test_the_gradient_is_that_of_the_trained_network_on_fixed_images(networks):
    model, static = networks
    images, labels, draws = batch(torch.arange(6))

    loss = ensemble_adversarial(model, images, labels, draws, static, attack=STEP, static_share=1.0, clean_weight=0.0)
    found = torch.autograd.grad(loss, list(model.parameters()))

    places = made_on(model, static, torch.arange(6), static_share=1.0)
    assert set(places.tolist()) == {1, 2}
    each = [STEP(network, images, labels, draws) for network in [model, *static]]
    attacked = torch.stack([each[place][row] for row, place in enumerate(places)])
    expected = torch.autograd.grad(functional.cross_entropy(model(attacked), labels), list(model.parameters()))
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("share", "expected"), [(None, [1 / 3, 1 / 3, 1 / 3]), (0.5, [0.5, 0.25, 0.25])])
def test_networks_are_drawn_as_often_as_they_should(networks, share, expected):
    places = made_on(*networks, torch.arange(3000), static_share=share)

    shares = torch.bincount(places, minlength=3) / len(places)
    torch.testing.assert_close(shares, torch.tensor(expected), atol=0.03, rtol=0)


def test_an_images_draw_hangs_on_its_id_alone_not_on_its_batch_or_place(networks):
    whole = made_on(*networks, torch.arange(60))

    turned = made_on(*networks, torch.arange(60).flip(0))
    halves = torch.cat([made_on(*networks, rows) for rows in torch.arange(60).split(30)])

    assert torch.equal(turned.flip(0), whole) and torch.equal(halves, whole)
    assert set(whole.tolist()) == {0, 1, 2}


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}])
def test_the_same_seed_and_epoch_draw_the_same_and_another_draws_anew(networks, other):
    first, again = (made_on(*networks, torch.arange(60)) for _ in range(2))

    found = made_on(*networks, torch.arange(60), partial(batch, **other))

    assert torch.equal(first, again) and not torch.equal(found, first)


def test_an_attack_draws_from_the_stream_of_each_image(networks):
    model, static = networks
    drawn = {}

    def noting(network, images, labels, generator):
        drawn.update(zip(generator.example_ids.tolist(), generator.uniform(()).tolist(), strict=True))
        return images

    ensemble_adversarial(model, *batch(torch.arange(9)), static, attack=noting)

    together = dict(drawn)
    drawn.clear()
    for row in torch.arange(9).split(1):
        ensemble_adversarial(model, *batch(row), static, attack=noting)
    assert drawn == together and len(set(drawn.values())) == 9


def test_clean_weight_one_never_attacks(networks):
    model, static = networks
    images, labels, draws = batch(torch.arange(6))

    loss = ensemble_adversarial(
        model, images, labels, draws, static, attack=lambda *_: pytest.fail("attacked"), clean_weight=1.0
    )

    assert torch.equal(loss, clean(model, images, labels, draws))


def test_without_static_networks_it_is_refused(networks):
    with pytest.raises(ValueError, match="needs static networks"):
        ensemble_adversarial(networks[0], *batch(torch.arange(6)), [], attack=STEP)


def test_a_static_network_keeps_its_mode_its_statistics_and_has_no_gradient(networks):
    static = nn.Sequential(nn.BatchNorm2d(1), *linear(1)).train()
    modes = []

    def watching(network, images, labels, generator):
        modes.append(network.training)
        return STEP(network, images, labels, generator)

    loss = ensemble_adversarial(networks[0], *batch(torch.arange(6)), [static], attack=watching, static_share=1.0)
    torch.autograd.backward(loss)

    assert modes == [False] and static.training and int(static[0].num_batches_tracked) == 0
    assert all(parameter.grad is None and parameter.requires_grad for parameter in static.parameters())
