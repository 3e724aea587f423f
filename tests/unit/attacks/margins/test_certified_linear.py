import pytest
import torch
from linear_margins import linear_margins
from torch import nn

from touchstone.attacks.margins.certified_linear import certified_linear
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.numerics.layer_graphs import layer_graph
from touchstone.numerics.linear_bounds import least_lead
from touchstone.numerics.tensors import Normalise, seeded


def test_of_a_linear_network_the_bound_is_the_exact_margin_up_to_the_last_halving(linear_net, images, draws):
    layer = linear_net[2]
    exact = linear_margins(layer.weight / 0.4, layer.bias - 0.3 / 0.4 * layer.weight.sum(1), images)

    found, _ = certified_linear(linear_net, images, None, draws, largest=0.5, rounds=12)

    assert (found <= exact + 1e-6).all() and (exact.clamp(max=0.5) - found).max() < 2 * 0.5 / 2**12


def test_of_one_relu_the_bound_is_worked_by_hand():
    # z = (1, relu(x - .5)) at x = .5: class 0 leads by 1 - relu(x - .5) and loses at no x in [0, 1] for scale 1, at x = .75 for 4.
    def lead(scale, radius):
        net = nn.Sequential(nn.Flatten(), nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2))
        for layer, weight, bias in ((net[1], [[1.0]], [-0.5]), (net[3], [[0.0], [scale]], [1.0, 0.0])):
            layer.weight.data, layer.bias.data = torch.tensor(weight), torch.tensor(bias)
        image = torch.full((1, 1, 1, 1), 0.5)
        return least_lead(layer_graph(net, image), image - radius, image + radius, torch.tensor([0])).item()

    assert lead(1.0, 0.4) == pytest.approx(0.6)  # the upper line of the ReLU meets it at the corner
    assert lead(4.0, 0.25) == pytest.approx(0.0)


def test_the_bounds_hold_for_every_image_of_the_box(cnn, images):
    radius, generator = 0.05, torch.Generator().manual_seed(0)
    low, high = (images[:8] - radius).clamp(min=0), (images[:8] + radius).clamp(max=1)
    with torch.no_grad():
        predictions = cnn(images[:8]).argmax(1)

        bounds = least_lead(layer_graph(cnn, images[:8]), low, high, predictions)

        for _ in range(50):
            corner = torch.rand(low.shape, generator=generator).round()
            logits = cnn(low + corner * (high - low))
            others = logits.scatter(1, predictions[:, None], -torch.inf).amax(1)
            assert (logits.gather(1, predictions[:, None])[:, 0] - others >= bounds - 1e-5).all()


def test_bounds_and_attack_bracket_the_margin_of_a_convolutional_network(cnn, images, draws):
    upper, _ = nearest_classes(cnn, images[:10], None, draws.take(torch.arange(10)))

    lower, found = certified_linear(cnn, images[:10], None, draws, largest=0.2, rounds=6)

    assert found.all() and (lower <= upper).all() and (lower > 0.1 * upper).float().mean() > 0.7


def test_normalisation_and_batch_norm_are_part_of_the_network(images, draws):
    with seeded(0, "init"):
        plain = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
        body = nn.Sequential(
            Normalise([0.0], [1.0]), plain[0], nn.BatchNorm2d(4), nn.Dropout(0.5), plain[1], plain[2], plain[3]
        )
    same = nn.Sequential(Normalise([0.0], [1.0]), plain)
    body[2].running_var.fill_(1 - body[2].eps)  # with mean 0: does nothing, also where torch refuses eps 0

    first, second = (certified_linear(net.eval(), images[:5], None, draws)[0] for net in (same, body))

    torch.testing.assert_close(first, second)


def test_a_layer_without_bounds_is_refused_by_its_name(images, draws):
    with pytest.raises(ValueError, match="no linear bounds for Softplus"):
        certified_linear(nn.Sequential(nn.Softplus(), nn.Flatten(), nn.Linear(64, 3)), images, None, draws)
