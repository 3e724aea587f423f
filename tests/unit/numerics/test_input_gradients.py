"""Our input gradient of a convolution is torch's, once and twice differentiated; outputs stay what they are."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.attacks.pgd import pgd
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics import input_gradients
from touchstone.numerics.tensors import RandomStreams, frozen

PAID_FOR = {
    "gray, stride 2": ((1, 5, 3), {"stride": 2, "padding": 1}),
    "gray, no stride": ((1, 4, 5), {}),
    "colours, stride 2": ((3, 6, 3), {"stride": 2, "padding": 1}),
    "even kernel": ((3, 4, 4), {"stride": 2, "padding": 1}),
    "wider than high": ((2, 4, (1, 5)), {"stride": (2, 3), "padding": (0, 2)}),
    "dilated": ((1, 4, 3), {"dilation": 2, "padding": 2}),
    "no bias": ((1, 4, 3), {"bias": False}),
}
LEFT = {
    "grouped": nn.Conv2d(2, 4, 3, stride=2, groups=2),
    "reflecting": nn.Conv2d(1, 4, 3, padding=1, padding_mode="reflect"),
    "same": nn.Conv2d(1, 4, 3, padding="same"),
    "too many columns": nn.Conv2d(3, 4, 7, stride=2),
    "colours, no stride": nn.Conv2d(3, 4, 3),
    "transposed": nn.ConvTranspose2d(1, 4, 3),
    "one-dimensional": nn.Conv1d(1, 4, 3),
}


def network(words, settings):
    """A convolution before an in-place activation, as networks often have it, in double precision."""
    torch.manual_seed(0)
    first = nn.Conv2d(*words, **settings)
    return nn.Sequential(first, nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(3), nn.Tanh()).double()


def images(channels, count=3):
    return torch.rand(count, channels, 9, 8, generator=torch.Generator().manual_seed(1)).double()


def ours(tensor):
    """Whether a tensor comes straight from a convolution with our backward pass."""
    return type(tensor.grad_fn).__name__ == "_FoldingBackward"


@pytest.mark.parametrize(("words", "settings"), PAID_FOR.values(), ids=PAID_FOR)
def test_gradients_are_those_of_the_convolution_and_outputs_its_own(words, settings):
    points = images(words[0]).requires_grad_()
    model = network(words, settings)
    plain = model(points)
    (expected,) = torch.autograd.grad(plain.square().sum(), points)

    with frozen(model):
        found = model(points)
        (gradient,) = torch.autograd.grad(found.square().sum(), points)

        assert ours(model[0](points))
        assert torch.equal(found, plain)
        assert torch.allclose(gradient, expected, rtol=1e-12, atol=1e-14)
        assert torch.autograd.gradcheck(model, points)
        assert torch.autograd.gradgradcheck(model, points)


@pytest.mark.parametrize("layer", LEFT.values(), ids=LEFT)
def test_layers_where_it_does_not_pay_are_left_alone(layer):
    assert not input_gradients.pays(layer)
    assert input_gradients.speed_up(nn.Sequential(layer)) == []


def test_a_layer_of_a_class_of_its_own_is_left_alone():
    class Scaled(nn.Conv2d):
        def forward(self, images):
            return 2 * super().forward(images)

    assert not input_gradients.pays(Scaled(1, 4, 3))


def test_it_ends_with_the_block_and_with_a_weight_that_needs_a_gradient():
    model, points = network((1, 4, 3), {}), images(1).requires_grad_()
    model(points)
    with frozen(model), frozen(model):
        assert ours(model[0](points))
        assert not ours(model[0](points.detach()))
        with torch.no_grad():
            assert model[0](points).grad_fn is None
        model[0].weight.requires_grad_(True)

        assert not ours(model[0](points))

    assert not ours(model[0](points))
    assert not model[0]._forward_hooks


def test_one_image_without_a_batch_is_torchs():
    layer = nn.Conv2d(1, 4, 3)

    with frozen(layer):
        assert layer(torch.rand(1, 8, 8, requires_grad=True)).shape == (4, 6, 6)


def test_reduced_precision_gives_gradients_of_the_images_own():
    model, points = small_cnn((1, 8, 8), 3), torch.rand(2, 1, 8, 8, requires_grad=True)

    def taken():
        with torch.autocast("cpu", torch.bfloat16):
            return torch.autograd.grad(model(points).float().sum(), points)[0]

    expected = taken()
    with frozen(model):
        gradient = taken()

    assert gradient.dtype == torch.float32
    assert functional.cosine_similarity(gradient.flatten(), expected.flatten(), 0) > 0.999


def test_an_attack_finds_what_it_finds_with_torchs_gradients(monkeypatch):
    torch.manual_seed(0)
    model, points, labels = small_cnn((1, 8, 8), 10), torch.rand(20, 1, 8, 8), torch.arange(20) % 10

    def attacked():
        return pgd(
            model, points, labels, RandomStreams(0, "attack", torch.arange(20)), eps=0.1, steps=5, step_size=0.01
        )

    found = attacked()
    monkeypatch.setattr(input_gradients, "speed_up", lambda model: [])
    plain = attacked()

    # A gradient that rounds to the other side of 0 turns a step around.
    assert ((found - plain).abs() > 1e-6).float().mean() < 0.001


def turned_by_a_hook(layer):
    layer.register_forward_hook(lambda _module, _arguments, output: -2 * output)


def turned_by_its_own_forward(layer):
    forward = layer.forward
    layer.forward = lambda points: -2 * forward(points)


@pytest.mark.parametrize("turned", [turned_by_a_hook, turned_by_its_own_forward])
def test_a_layer_whose_output_its_owner_changes_keeps_its_gradient(turned):
    model, points = network((1, 4, 3), {}), images(1).requires_grad_()
    turned(model[0])
    (expected,) = torch.autograd.grad(model(points).square().sum(), points)

    with frozen(model):
        (gradient,) = torch.autograd.grad(model(points).square().sum(), points)

    torch.testing.assert_close(gradient, expected)
