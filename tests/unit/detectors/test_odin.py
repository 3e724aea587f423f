import pytest
import torch
from torch import nn

from touchstone.detectors.msp import msp
from touchstone.detectors.odin import odin


@pytest.fixture
def model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(9, 7), nn.Tanh(), nn.Linear(7, 4)).double()


@pytest.fixture
def images():
    return torch.rand(5, 1, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_odin_without_step_and_temperature_is_msp(model, images):
    assert torch.allclose(odin(model, images, temperature=1.0, magnitude=0.0), msp(model(images)), rtol=1e-14, atol=0)


def test_the_step_raises_the_confidence(model, images):
    plain, stepped = (odin(model, images, temperature=1.0, magnitude=m) for m in (0.0, 0.01))

    assert (stepped < plain).all()


def test_odin_of_a_linear_two_class_model_is_the_closed_form(images):
    """The step moves the logit gap by magnitude times the L1 norm of the weight."""
    weight, temperature, magnitude = torch.linspace(-1, 1, 9, dtype=torch.float64), 2.0, 0.05

    def linear(x):
        gap = x.flatten(1) @ weight
        return torch.stack([gap, torch.zeros_like(gap)], dim=1)

    scores = odin(linear, images, temperature=temperature, magnitude=magnitude)

    gap = (images.flatten(1) @ weight).abs() + magnitude * weight.abs().sum()
    torch.testing.assert_close(scores, -(gap / temperature).sigmoid())


def test_the_gradient_passes_the_step_unchanged(model, images):
    images.requires_grad_()
    direction = torch.randn(images.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

    (gradient,) = torch.autograd.grad(odin(model, images, temperature=5.0, magnitude=0.01).sum(), images)

    above, below = (odin(model, images.detach() + s * direction, temperature=5.0, magnitude=0.01).sum() for s in (1e-6, -1e-6))  # fmt: skip
    torch.testing.assert_close((gradient * direction).sum(), (above - below) / 2e-6, rtol=1e-5, atol=1e-9)


def test_odin_leaves_no_gradient_in_the_network(model, images):
    odin(model, images)

    assert all(parameter.grad is None for parameter in model.parameters())


def test_odin_agrees_with_pytorch_ood(model, images):
    reference = pytest.importorskip("pytorch_ood.detector").ODIN(model, eps=0.01, temperature=100)

    torch.testing.assert_close(odin(model, images, temperature=100.0, magnitude=0.01), reference.predict(images))
