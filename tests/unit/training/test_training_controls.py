"""Noise and the objectives of single architectures, worked by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.models.ensemble import ensemble
from touchstone.models.mlp import mlp
from touchstone.models.networks import checkpoints
from touchstone.models.shallow_rbf import shallow_rbf
from touchstone.models.softmax_regression import softmax_regression
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.clean import clean
from touchstone.training.label_smoothing import label_smoothing
from touchstone.training.member_wise import member_wise
from touchstone.training.noise import noise
from touchstone.training.one_versus_rest import one_versus_rest

torch.set_num_threads(1)


@pytest.fixture
def batch():
    images = torch.full((200, 1, 5, 5), 0.5)
    return images, torch.zeros(200, dtype=torch.int64), RandomStreams(0, "attack", torch.arange(200))


def seen_by(objective, images, labels, draws, **settings):
    seen = []

    def model(given):
        seen.append(given)
        return given.flatten(1)

    objective(model, images, labels, draws, **settings)
    (given,) = seen
    return given


def test_sign_noise_moves_every_pixel_by_eps_either_way(batch):
    images, labels, draws = batch

    change = seen_by(noise, images, labels, draws, kind="sign", eps=0.2) - images

    torch.testing.assert_close(change.abs(), torch.full_like(images, 0.2))
    assert abs(float((change > 0).float().mean()) - 0.5) < 0.03


def test_uniform_noise_fills_the_interval_evenly(batch):
    images, labels, draws = batch

    change = seen_by(noise, images, labels, draws, kind="uniform", eps=0.2) - images

    assert float(change.abs().max()) <= 0.2
    assert abs(float(change.std()) - 0.2 / math.sqrt(3)) < 0.005  # 5000 draws


def test_noisy_images_stay_in_the_unit_interval(batch):
    images, labels, draws = batch

    given = seen_by(noise, torch.ones_like(images), labels, draws, kind="sign", eps=0.2)

    assert float(given.max()) == 1 and float(given.min()) == pytest.approx(0.8)


def test_one_versus_rest_is_the_sum_of_binary_cross_entropies():
    probabilities = torch.tensor([[0.5, 0.25, 0.125], [0.1, 0.8, 0.3]])
    labels, draws = torch.tensor([0, 2]), RandomStreams(0, "attack", torch.arange(2))

    loss = one_versus_rest(lambda _: probabilities.log(), torch.zeros(2, 1, 1, 1), labels, draws)

    rows = [-math.log(0.5 * 0.75 * 0.875), -math.log(0.9 * 0.2 * 0.3)]
    assert float(loss) == pytest.approx(sum(rows) / 2, rel=1e-5)


def test_one_versus_rest_has_finite_gradients_at_probability_one():
    logits = torch.zeros(1, 2, requires_grad=True)

    loss = one_versus_rest(
        lambda _: logits, torch.zeros(1, 1, 1, 1), torch.tensor([0]), RandomStreams(0, "a", torch.arange(1))
    )
    loss.backward()

    assert bool(torch.isfinite(loss)) and bool(torch.isfinite(logits.grad).all())


SATURATED = [5.0, 12.0, 20.0, 40.0, 80.0]


@pytest.mark.parametrize("z", [*SATURATED, *(-z for z in SATURATED), 0.0, -0.5, 0.5])
def test_one_versus_rest_of_sigmoids_is_their_binary_cross_entropy_however_saturated(z):
    logits = torch.tensor([[z, 0.3, -z]], requires_grad=True)
    exact = logits.detach().double().requires_grad_()
    draws, label = RandomStreams(0, "a", torch.arange(1)), torch.tensor([1])

    loss = one_versus_rest(lambda _: functional.logsigmoid(logits), torch.zeros(1, 1, 1, 1), label, draws)
    closed_form = (
        functional.softplus(exact[0, 0]) + functional.softplus(-exact[0, 1]) + functional.softplus(exact[0, 2])
    )
    loss.backward()
    closed_form.backward()

    assert loss.item() == pytest.approx(closed_form.item(), rel=1e-5)
    torch.testing.assert_close(logits.grad.double(), exact.grad, rtol=1e-4, atol=0)


def test_one_versus_rest_has_the_gradient_of_the_logarithm_near_an_rbf_centre_of_another_class():
    network = shallow_rbf((1, 2, 2), 2)
    images = network.centres.detach()[1].view(1, 1, 2, 2) + 1e-4
    draws = RandomStreams(0, "a", torch.arange(1))

    one_versus_rest(network, images, torch.tensor([0]), draws).backward()

    # log(1 - p) is log(sum of a d^2) there, and falls with 2 a d / (sum of a d^2) = 1 / (2 d) in each of four pixels.
    torch.testing.assert_close(network.centres.grad[1], torch.full((4,), 5000.0), rtol=1e-3, atol=0)


def test_one_versus_rest_has_finite_gradients_at_certainty_and_impossibility():
    logits = torch.tensor([[0.0, -0.0, 0.0, -torch.inf]], requires_grad=True)
    draws = RandomStreams(0, "a", torch.arange(1))

    loss = one_versus_rest(lambda _: logits, torch.zeros(1, 1, 1, 1), torch.tensor([0]), draws)
    loss.backward()

    assert bool(torch.isfinite(loss)) and bool(torch.isfinite(logits.grad).all())
    assert bool((logits.grad[0, 1:3] > 1e30).all())


def test_one_versus_rest_refuses_ordinary_logits(batch):
    with pytest.raises(ValueError, match="log-probabilities at most 0"):
        one_versus_rest(lambda images: images.flatten(1), *batch)


def test_each_member_gets_the_gradient_that_it_would_get_alone(batch):
    images, labels, draws = batch
    network = ensemble((1, 5, 5), 3, member=softmax_regression, members=3)
    model = nn.Sequential(nn.Identity(), network)

    member_wise(model, images, labels, draws).backward()

    for member in network.members:
        (alone,) = torch.autograd.grad(clean(member, images, labels, draws), member[1].weight)
        assert torch.equal(member[1].weight.grad, alone)


def test_the_first_member_starts_as_the_network_of_the_same_seed():
    alone = checkpoints.weights_of(checkpoints.build(mlp, (1, 5, 5), 3, (0.0,), (1.0,), seed=4))

    def whole(input_shape, classes):
        return ensemble(input_shape, classes, member=mlp, members=2)

    together = checkpoints.weights_of(checkpoints.build(whole, (1, 5, 5), 3, (0.0,), (1.0,), seed=4))

    assert all((together[f"members.0.{name}"] == values).all() for name, values in alone.items())
    assert any((together[f"members.1.{name}"] != values).any() for name, values in alone.items())


def test_member_wise_refuses_a_network_without_members(batch):
    with pytest.raises(ValueError, match="no members"):
        member_wise(nn.Sequential(nn.Identity(), nn.Flatten()), *batch)


def test_smoothed_labels_weigh_every_class_and_the_true_one_more():
    logits = torch.tensor([[1.0, 0.0, -1.0]])
    log = logits.log_softmax(1)[0]

    loss = label_smoothing(lambda images: logits, torch.zeros(1, 1, 1, 1), torch.tensor([0]), None, smoothing=0.3)

    torch.testing.assert_close(loss, -(0.8 * log[0] + 0.1 * log[1] + 0.1 * log[2]))


def test_smoothing_that_leaves_no_label_is_refused():
    with pytest.raises(ValueError, match="smoothing must be < 1"):
        label_smoothing(lambda images: images, torch.zeros(1, 1), torch.tensor([0]), None, smoothing=1.0)
