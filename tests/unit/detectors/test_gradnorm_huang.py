import pytest
import torch
from pytorch_ood.detector import GradNorm
from torch import nn
from torch.nn import functional

from touchstone.detectors.gradnorm_huang import gradnorm_huang


@pytest.fixture
def layer():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(6, 4), torch.randn(8, 6)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_the_closed_form_is_the_gradient_of_the_divergence(layer, temperature):
    linear, features = layer

    scores = gradnorm_huang(linear(features), features, temperature=temperature)

    for row, score in zip(features, scores, strict=True):
        divergence = -functional.log_softmax(linear(row) / temperature, 0).mean()
        (gradient,) = torch.autograd.grad(divergence, linear.weight)
        torch.testing.assert_close(score, -gradient.abs().sum())


def test_a_uniform_prediction_scores_highest(layer):
    _, features = layer

    uniform = gradnorm_huang(torch.zeros(8, 4), features)
    sure = gradnorm_huang(torch.tensor([[9.0, 0, 0, 0]]).expand(8, 4), features)

    assert (uniform == 0).all()
    assert (sure < 0).all()


def test_gradnorm_agrees_with_pytorch_ood(layer):
    linear, features = layer
    reference = pytest.importorskip("pytorch_ood.detector").GradNorm(linear, param_filter=lambda name: name == "weight")

    torch.testing.assert_close(gradnorm_huang(linear(features), features), reference.predict(features))


def test_pytorch_ood_gives_the_same_scores_if_it_takes_only_the_weight_of_the_last_layer():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3)).eval()
        rows = torch.rand(20, 6)
    features = network[:2](rows).detach()

    expected = GradNorm(network, param_filter=lambda name: name == "2.weight").predict(rows)

    assert torch.allclose(gradnorm_huang(network(rows).detach(), features), expected.detach(), atol=1e-6)
