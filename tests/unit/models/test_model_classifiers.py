"""Closed forms, sizes and hand-worked weights of the classifiers."""

import math
from functools import partial

import pytest
import torch
from torch.nn import functional

from touchstone.attacks.adversary.defences import with_softplus
from touchstone.models._residual import PreactBlock
from touchstone.models.densenet_bc import densenet_bc
from touchstone.models.ensemble import ensemble
from touchstone.models.logistic_regression import logistic_regression
from touchstone.models.maxout import maxout
from touchstone.models.mlp import mlp
from touchstone.models.preact_resnet18 import preact_resnet18
from touchstone.models.resnet18 import resnet18
from touchstone.models.shallow_rbf import shallow_rbf
from touchstone.models.small_cnn import small_cnn
from touchstone.models.softmax_regression import softmax_regression
from touchstone.models.standardising_wide_resnet import standardising_wide_resnet
from touchstone.models.wide_resnet import wide_resnet
from touchstone.numerics.tensors import RandomStreams

torch.set_num_threads(1)
DIGIT, COLOUR = (1, 28, 28), (3, 32, 32)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        (partial(softmax_regression, DIGIT), 784 * 10 + 10),
        (partial(mlp, DIGIT), 785 * 128 + 129 * 128 + 129 * 10),
        (partial(mlp, DIGIT, hidden=[]), 7850),
        (partial(maxout, DIGIT), 785 * 1200 + 241 * 1200 + 2410),
        (partial(shallow_rbf, DIGIT), 2 * 7840),
        (partial(small_cnn, DIGIT), 16 * 10 + 32 * 145 + 1569 * 128 + 1290),
        (partial(preact_resnet18, COLOUR), 11_172_170),  # Rice et al. 2020, official code
        (partial(densenet_bc, COLOUR), 769_162),  # Huang et al. 2017, table 2: 0.8M
        (partial(wide_resnet, COLOUR), 36_479_194),  # Zagoruyko & Komodakis 2016, table 4: 36.5M
    ],
)
def test_a_classifier_has_the_published_number_of_weights(network, weights):
    assert count(network(10)) == weights


def test_logistic_regression_has_the_cross_entropy_of_the_paper():
    model = logistic_regression((1, 2, 2), 2).double()
    images = torch.rand(6, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 0, 1, 1, 0])

    loss = functional.cross_entropy(model(images), labels, reduction="none")

    sign = 2.0 * labels - 1
    activation = images.flatten(1) @ model.linear.weight[0] + model.linear.bias
    torch.testing.assert_close(loss, functional.softplus(-sign * activation))


def test_logistic_regression_refuses_ten_classes():
    with pytest.raises(ValueError, match="needs 2 classes, got 10"):
        logistic_regression(DIGIT, 10)


def test_an_mlp_with_given_weights_gives_hand_worked_logits():
    model = mlp((1, 1, 2), 2, hidden=[2])
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 0.0]]))
        model[1].bias.copy_(torch.tensor([0.0, -1.0]))
        model[3].weight.copy_(torch.eye(2))
        model[3].bias.zero_()

    logits = model(torch.tensor([[[[0.2, 0.7]]], [[[0.9, 0.1]]]]))

    torch.testing.assert_close(logits, torch.tensor([[0.0, 0.0], [0.8, 0.8]]))


@pytest.mark.parametrize("architecture", [mlp, small_cnn])
def test_softplus_gives_second_derivatives_where_relu_gives_none(architecture):
    images = torch.rand(2, *DIGIT, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def curvature(activation):
        torch.manual_seed(0)
        model = architecture(DIGIT, 3, activation=activation)
        (gradient,) = torch.autograd.grad(model(images)[:, 0].sum(), images, create_graph=True)
        (second,) = torch.autograd.grad((gradient**2).sum(), images, allow_unused=True)
        return 0.0 if second is None else float(second.abs().max())

    assert curvature("softplus") > 0
    assert curvature("relu") == 0


def test_a_maxout_unit_is_the_largest_of_its_pieces():
    model = maxout((1, 1, 1), 1, units=1, layers=1, pieces=3).eval()
    with torch.no_grad():
        model[2].linear.weight.copy_(torch.tensor([[1.0], [-1.0], [0.0]]))
        model[2].linear.bias.copy_(torch.tensor([0.0, 0.0, 0.25]))
        model[4].weight.fill_(1.0)
        model[4].bias.zero_()

    outputs = model(torch.tensor([-0.5, 0.1, 0.75]).view(3, 1, 1, 1))

    torch.testing.assert_close(outputs[:, 0], torch.tensor([0.5, 0.25, 0.75]))


def test_the_rbf_logit_is_the_weighted_squared_distance():
    model = shallow_rbf((1, 1, 2), 2)
    with torch.no_grad():
        model.centres.copy_(torch.tensor([[0.0, 1.0], [0.5, 0.5]]))
        model.log_precision.copy_(torch.tensor([[1.0, 2.0], [4.0, 4.0]]).log())

    logits = model(torch.tensor([[[[1.0, 0.5]]]]))

    torch.testing.assert_close(logits, torch.tensor([[-1.5, -1.0]]))


def test_the_rbf_is_unsure_of_every_noise_image_when_its_precision_is_large():
    model = shallow_rbf(DIGIT, 10)
    with torch.no_grad():
        model.centres.uniform_(0, 1, generator=torch.Generator().manual_seed(0))
        model.log_precision.fill_(math.log(0.1))  # a sum of 78.4 over the pixels
    rubbish = RandomStreams(0, "rubbish", torch.arange(200)).normal(DIGIT)

    confidence = model(rubbish).exp().amax(1)

    assert bool((confidence < 0.5).all())


def test_an_ensemble_gives_the_mean_of_the_probabilities():
    model = ensemble((1, 2, 2), 3, member=softmax_regression, members=4)
    images = torch.rand(5, 1, 2, 2, generator=torch.Generator().manual_seed(0))

    probabilities = model(images).softmax(1)

    members = torch.stack([member(images).softmax(1) for member in model.members])
    torch.testing.assert_close(probabilities, members.mean(0))
    torch.testing.assert_close(model(images).exp(), probabilities)  # already normalised


def test_the_logits_of_a_saturated_ensemble_stay_finite():
    model = ensemble((1, 1, 1), 2, member=softmax_regression, members=2)
    with torch.no_grad():
        for member in model.members:
            member[1].weight.copy_(torch.tensor([[1e4], [-1e4]]))

    assert bool(torch.isfinite(model(torch.ones(1, 1, 1, 1))).all())


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (partial(wide_resnet, depth=27), "depth must be 6 n . 4.* got 27"),
        (partial(densenet_bc, depth=4), "depth must be 6 n . 4.* got 4"),
        (partial(densenet_bc, depth=10, reduction=0.0), "at least one channel, got 0.0"),
    ],
)
def test_an_impossible_depth_or_reduction_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        network(COLOUR, 10)


def test_a_preactivation_block_without_weights_is_the_identity():
    block = PreactBlock(3, 3, 1, 0.0).eval()
    with torch.no_grad():
        block.second.weight.zero_()
    features = torch.rand(2, 3, 4, 4)

    torch.testing.assert_close(block(features), features)


@pytest.mark.parametrize(
    "network",
    [
        partial(preact_resnet18, COLOUR, width=2),
        partial(wide_resnet, COLOUR, depth=10, width=1),
        partial(resnet18, COLOUR, width=2),
        partial(standardising_wide_resnet, COLOUR, depth=10, width=1),
    ],
)
def test_every_relu_of_a_residual_network_is_a_module_that_a_smooth_surrogate_replaces(network, monkeypatch):
    smooth = with_softplus(network(10))
    monkeypatch.setattr(torch, "relu", pytest.fail)
    monkeypatch.setattr(functional, "relu", pytest.fail)

    assert smooth(torch.rand(2, *COLOUR)).shape == (2, 10)
