"""Adversarial training and its relatives against hand-worked losses and each other."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.numerics.tensors import RandomStreams
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean
from touchstone.training.trades import trades

torch.set_num_threads(1)


def fgsm(model, images, labels, generator, eps):
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        loss = functional.cross_entropy(model(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return (images + eps * gradient.sign()).clamp(0, 1).detach()


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    images = 0.4 + 0.2 * torch.rand(6, 1, 2, 2, generator=generator)
    return images, torch.arange(6) % 3, RandomStreams(0, "attack", torch.arange(6))


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3))


def gradients(model, loss):
    return torch.autograd.grad(loss, list(model.parameters()))


def test_clean_is_the_mean_cross_entropy(linear, batch):
    images, labels, draws = batch

    loss = clean(linear, images, labels, draws)

    torch.testing.assert_close(loss, -linear(images).log_softmax(1)[torch.arange(6), labels].mean())


def test_adversarial_trains_on_the_attacked_batch_alone(linear, batch):
    images, labels, draws = batch
    attack = partial(fgsm, eps=0.1)

    loss = adversarial(linear, images, labels, draws, attack=attack)

    expected = functional.cross_entropy(linear(attack(linear, images, labels, draws)), labels)
    torch.testing.assert_close(loss, expected)
    assert loss > clean(linear, images, labels, draws)


def test_clean_weight_mixes_the_two_losses(linear, batch):
    images, labels, draws = batch
    attack = partial(fgsm, eps=0.1)

    mixed = adversarial(linear, images, labels, draws, attack=attack, clean_weight=0.3)

    attacked = adversarial(linear, images, labels, draws, attack=attack)
    torch.testing.assert_close(mixed, 0.3 * clean(linear, images, labels, draws) + 0.7 * attacked)


def test_an_attack_that_returns_a_graph_passes_no_gradient(linear, batch):
    images, labels, draws = batch

    def leaky(model, images, labels, generator):
        return images + 0 * next(linear.parameters()).sum() + model(images)[:, :1, None, None] * 0.1

    with torch.no_grad():
        attacked = leaky(linear, images, labels, draws)
    expected = gradients(linear, functional.cross_entropy(linear(attacked), labels))

    found = gradients(linear, adversarial(linear, images, labels, draws, attack=leaky))

    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("clean_weight", [0.0, 0.5, 1.0])
def test_eps_zero_has_the_gradients_of_plain_training_bit_for_bit(linear, batch, clean_weight):
    images, labels, draws = batch
    attack = partial(fgsm, eps=0.0)

    found = gradients(linear, adversarial(linear, images, labels, draws, attack=attack, clean_weight=clean_weight))

    expected = gradients(linear, clean(linear, images, labels, draws))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_clean_weight_one_never_attacks(linear, batch):
    images, labels, draws = batch

    loss = adversarial(linear, images, labels, draws, attack=lambda *_: pytest.fail("attacked"), clean_weight=1.0)

    assert torch.equal(loss, clean(linear, images, labels, draws))


def test_the_attack_leaves_batch_statistics_alone(batch):
    images, labels, draws = batch
    torch.manual_seed(0)
    model = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout(0.5), nn.Flatten(), nn.Linear(4, 3)).train()
    seen = []

    def watching(model, images, labels, generator):
        before = model[0].running_mean.clone()
        attacked = fgsm(model, images, labels, generator, 0.1)
        seen.append((model[0].training, model[1].training, torch.equal(before, model[0].running_mean)))
        return attacked

    adversarial(model, images, labels, draws, attack=watching).backward()

    assert seen == [(False, False, True)]
    assert model[0].training and model[1].training and int(model[0].num_batches_tracked) == 1
    assert all(parameter.requires_grad and parameter.grad is not None for parameter in model.parameters())


def test_trades_with_beta_zero_is_plain_training(linear, batch):
    images, labels, draws = batch

    torch.testing.assert_close(
        trades(linear, images, labels, draws, eps=0.1, beta=0.0), clean(linear, images, labels, draws)
    )


def test_trades_with_eps_zero_is_plain_training(linear, batch):
    images, labels, draws = batch

    torch.testing.assert_close(trades(linear, images, labels, draws, eps=0.0), clean(linear, images, labels, draws))


def test_trades_adds_beta_times_the_largest_divergence(batch):
    # Two classes and one weight vector: the KL grows with |change of w.x|, so the worst corner is x +- eps sign(w).
    images, labels, draws = batch
    labels = labels % 2
    weights = torch.tensor([3.0, -2.0, 1.0, -4.0])

    def model(images):
        return functional.pad((images.flatten(1) @ weights - 0.5)[:, None], (1, 0))

    loss = trades(model, images, labels, draws, eps=0.05, steps=20, beta=2.0)

    clean_logits = model(images).log_softmax(1)
    divergences = []
    for sign in (-1, 1):
        attacked = model(images + 0.05 * sign * weights.sign().view(1, 1, 2, 2)).log_softmax(1)
        divergences.append(functional.kl_div(attacked, clean_logits, log_target=True, reduction="none").sum(1))
    # A local search finds one of the two corners for each image.
    low, high = torch.minimum(*divergences).mean(), torch.maximum(*divergences).mean()
    excess = (loss - clean(model, images, labels, draws)) / 2
    assert low - 1e-5 <= excess <= high + 1e-5


def test_trades_passes_gradients_through_both_sides(linear, batch):
    images, labels, draws = batch
    passes = []
    linear.train().register_forward_hook(
        lambda module, inputs, _: passes.append(inputs[0]) if module.training else None
    )

    found = gradients(linear, trades(linear, images, labels, draws, eps=0.1, steps=3, beta=6.0))

    (attacked,) = [given for given in passes if given is not images]
    ours, theirs = linear(images).log_softmax(1), linear(attacked).log_softmax(1)
    divergence = functional.kl_div(theirs, ours, log_target=True, reduction="batchmean")
    expected = gradients(linear, functional.cross_entropy(linear(images), labels) + 6 * divergence)
    torch.testing.assert_close(found, expected)
