import itertools

import pytest
import torch
from relu_programs import exact_least
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from touchstone.models._residual import PreactBlock
from touchstone.numerics.layer_graphs import Maximum, layer_graph
from touchstone.numerics.linear_bounds import Bounds, checked_graph, least_lead
from touchstone.numerics.tensors import seeded

SHAPE = (2, 7, 6)


class Shared(nn.Module):
    """A sum whose two inputs are seen through windows of different sizes, a unit used twice, and torch functions."""

    def __init__(self):
        super().__init__()
        self.wide, self.narrow, self.last = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 3, 1), nn.Linear(126, 4)

    def forward(self, images):
        features = torch.relu(self.wide(images)) + self.narrow(images)
        return self.last(torch.flatten(nn.functional.relu(features + features), 1))


NETWORKS = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(84, 4)),
    "fully connected": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(84, 20), nn.ReLU(), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 4)
    ),
    "convolutions": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=(2, 1), dilation=(2, 1), groups=2)),
        *(nn.ReLU(), nn.Conv2d(6, 4, 2, stride=(2, 1)), nn.ReLU(), nn.Flatten(), nn.Linear(16, 4)),
    ),
    "maximum": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), nn.MaxPool2d(3, stride=2, padding=1), nn.Conv2d(4, 4, 2), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 4)),
    ),
    "means": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2, stride=1), nn.Conv2d(4, 6, 2), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    ),
    "residual": lambda: nn.Sequential(
        *(nn.Conv2d(2, 4, 3, padding=1), PreactBlock(4, 4, 1, 0.1), PreactBlock(4, 6, 2, 0.0), nn.BatchNorm2d(6)),
        *(nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)),
    ),
    "shared": Shared,
}  # fmt: skip


def network(name):
    with seeded(1, "init"):
        model = NETWORKS[name]().eval()
        model(torch.zeros(1, *SHAPE))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.5, 2)
    return model.double()


def box(radius=0.1, count=3):
    images = torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (images - radius).clamp_min(0), (images + radius).clamp_max(1)


def differences():
    unit = torch.eye(4, dtype=torch.float64)
    return (unit[:, None] - unit).flatten(0, 1)


@pytest.mark.parametrize("name", NETWORKS)
def test_no_image_of_the_box_violates_a_bound(name):
    model, (low, high), generator = network(name), box(), torch.Generator().manual_seed(2)
    with torch.no_grad():
        bounds = Bounds(layer_graph(model, low), low, high).lower(differences()[None])

    for row in range(16):  # random corners, and gradient descent from them, which attacks each difference
        part = torch.rand(low.shape, generator=generator, dtype=low.dtype).round()
        for _ in range(20):
            images = (low + part * (high - low)).requires_grad_()
            values = model(images) @ differences().T
            assert (values >= bounds - 1e-9).all()
            (gradient,) = torch.autograd.grad(values[:, row].sum(), images)
            part = torch.where(gradient > 0, 0.0, torch.where(gradient < 0, 1.0, part)).to(low)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_bounds_of_a_box_without_width_are_the_differences_themselves(name):
    model, (images, _) = network(name), box(0.0)
    with torch.no_grad():
        bounds = Bounds(layer_graph(model, images), images, images).lower(differences()[None])

        torch.testing.assert_close(bounds, model(images) @ differences().T)


@pytest.mark.parametrize("name", NETWORKS)
def test_bounds_are_computed_on_the_device_of_the_network(name):
    # Fake tensors hold no numbers, but refuse to mix those of a GPU with those of the processor.
    shape = (2, 3, 3) if name == "residual" else SHAPE  # its blocks need slow operations on them for each pixel
    with FakeTensorMode(), torch.no_grad():
        with torch.device("cuda"):
            model = NETWORKS[name]().eval()
        images = torch.zeros(2, *shape, dtype=torch.float64, device="cuda")
        bounds = Bounds(layer_graph(model, images), images, images + 0.1).lower(differences()[None].to("cuda"))

    assert bounds.device.type == "cuda"


@pytest.mark.parametrize("name", ["linear", "convolutions", "maximum", "means", "residual", "shared"])
def test_the_boxes_of_hidden_layers_hold_and_are_no_looser_than_intervals(name):
    model, (low, high) = network(name), box(0.03)
    graph = layer_graph(model, low)
    with torch.no_grad():
        linear = Bounds(graph, low, high).boxes[-1]
        box_by_box = [(low, high)]
        for node in graph[1:]:
            box_by_box.append(Bounds._box(node, [box_by_box[source] for source in node.inputs]))
        logits = model((low + high) / 2)

    assert (linear[0] <= logits).all() and (logits <= linear[1]).all()
    assert (linear[0] >= box_by_box[-1][0] - 1e-9).all() and (linear[1] <= box_by_box[-1][1] + 1e-9).all()


def test_of_a_linear_network_the_bound_is_the_closed_form():
    model, (low, high) = network("linear"), box()
    weight, bias = model[1].weight, model[1].bias
    row = torch.tensor([1.0, -1.0, 0.5, 0.0], dtype=torch.float64)

    bound = Bounds(layer_graph(model, low), low, high).lower(row.view(1, 1, 4))

    middle, radius = (low + high).flatten(1) / 2, (high - low).flatten(1) / 2
    exact = middle @ (row @ weight) + row @ bias - radius @ (row @ weight).abs()
    torch.testing.assert_close(bound[:, 0], exact)


@pytest.mark.parametrize("hidden", [(12,), (30,), (10, 10), (12, 10, 8)], ids=str)
def test_the_bound_is_never_above_the_exact_minimum_of_a_mixed_integer_program(hidden):
    generator = torch.Generator().manual_seed(sum(hidden))
    sizes = [6, *hidden, 3]
    layers = [nn.Linear(*pair).double() for pair in itertools.pairwise(sizes)]
    for layer in layers:
        layer.weight.data = torch.randn(layer.weight.shape, generator=generator, dtype=torch.float64) / 2
        layer.bias.data = torch.randn(layer.bias.shape, generator=generator, dtype=torch.float64) / 4
    model = nn.Sequential(nn.Flatten(), *[part for layer in layers[:-1] for part in (layer, nn.ReLU())], layers[-1])
    images = torch.rand(3, 1, 2, 3, generator=generator, dtype=torch.float64)
    weights, biases = ([getattr(layer, name).detach().numpy() for layer in layers] for name in ("weight", "bias"))

    for radius, gap in ((0.01, 0.02), (0.1, 0.5), (0.3, 4.0)):
        low, high = (images - radius).clamp_min(0), (images + radius).clamp_max(1)
        with torch.no_grad():
            rows = differences()[:3, :3] - differences()[1:4, :3]
            bounds = Bounds(layer_graph(model, images), low, high).lower(rows[None])
        for image, bound in enumerate(bounds):
            for row, value in zip(rows.numpy(), bound, strict=True):
                exact = exact_least(weights, biases, row, low[image].flatten().numpy(), high[image].flatten().numpy())
                assert exact - gap <= value <= exact + 1e-6


def test_the_lead_is_that_over_the_nearest_other_class():
    model, (low, high) = network("fully connected"), box()
    graph, classes = layer_graph(model, low), torch.tensor([0, 3, 1])
    with torch.no_grad():
        each = Bounds(graph, low, high).lower(differences()[None]).view(3, 4, 4)

        lead = least_lead(graph, low, high, classes)

    for row, top in enumerate(classes):
        assert lead[row] == pytest.approx(min(each[row, top, other].item() for other in range(4) if other != top))


@pytest.mark.parametrize("settings", [{}, {"stride": 1}, {"padding": 1, "dilation": 2, "stride": 2}], ids=str)
def test_the_maximum_over_windows_is_that_of_torch(settings):
    pool = nn.MaxPool2d(2, **settings)
    layer = box()[0]
    node = layer_graph(nn.Sequential(pool, nn.Flatten()), layer)[1].layer

    assert isinstance(node, Maximum)
    torch.testing.assert_close(node.windows(layer).amax(2), pool(layer))


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Softplus(), "no linear bounds for Softplus"),
        (nn.MaxPool2d(2, ceil_mode=True), "MaxPool2d with ceil_mode"),
        (nn.AvgPool2d(2, padding=1), "AvgPool2d with padding"),
        (nn.AdaptiveAvgPool2d(2), "another output size than 1"),
        (nn.Conv2d(2, 2, 3, padding="same"), "padding 'same'"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_a_layer_without_bounds_is_refused(layer, message):
    with pytest.raises(ValueError, match=message):
        layer_graph(nn.Sequential(layer, nn.Flatten()), torch.zeros(1, *SHAPE))


def test_what_a_network_computes_itself_is_refused_by_name():
    class Squared(nn.Module):
        def forward(self, images):
            return (images * images).flatten(1)

    class Branching(nn.Module):
        def forward(self, images):
            return images.flatten(1) if images.sum() > 0 else -images.flatten(1)

    for model, name in ((Squared(), "mul"), (Branching(), "Branching")):
        with pytest.raises(ValueError, match=f"no linear bounds for {name}"):
            layer_graph(model, torch.zeros(1, *SHAPE))


class InPlace(nn.Module):
    """A block that changes its input in place before the shortcut reads it."""

    def __init__(self, change):
        super().__init__()
        self.linear, self.relu, self.change = nn.Linear(12, 12), nn.ReLU(inplace=True), change

    def forward(self, features):
        if self.change == "module":
            return self.linear(self.relu(features)) + features
        return self.linear(nn.functional.relu(torch.flatten(features, 1), True)) + features


class SumInPlace(nn.Module):
    """A sum in place that changes the shortcut; the traced graph shows a plain sum."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, 12)

    def forward(self, features):
        shortcut = features
        features += self.linear(features)
        return features + shortcut


def hooked():
    layer = nn.Linear(12, 12)
    layer.register_forward_hook(lambda _, arguments, output: output.relu())
    return layer


@pytest.mark.parametrize("change", ["module", "function"])
def test_a_network_that_reads_what_it_has_overwritten_has_no_bounds(change):
    """The traced graph shows the values of before, and bounds on it are violated by images of the box."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(84, 12), InPlace(change), nn.Linear(12, 3)).eval()

    with pytest.raises(ValueError, match="changes in place what another layer reads"):
        layer_graph(model, torch.zeros(1, *SHAPE))


@pytest.mark.parametrize("part", [SumInPlace, hooked])
@pytest.mark.parametrize("scale", [1e-6, 1, 1e6])
def test_a_network_that_is_more_than_its_layers_has_no_bounds(part, scale):
    model = nn.Sequential(nn.Flatten(), nn.Linear(84, 12), part(), nn.Linear(12, 3)).eval()
    with torch.no_grad():
        for parameter in model[-1].parameters():
            parameter *= scale

    with pytest.raises(ValueError, match="returns other logits than its layers"):
        checked_graph(model, torch.rand(2, *SHAPE, generator=torch.Generator().manual_seed(0)))


def test_layers_that_overwrite_what_nobody_else_reads_have_bounds():
    model = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(3)
    ).eval()
    model(torch.zeros(1, *SHAPE))

    assert len(checked_graph(model, torch.ones(1, *SHAPE))) == 5


def test_a_convolution_of_which_a_unit_sees_only_padding_is_named():
    model = nn.Sequential(nn.Conv2d(2, 4, 2), nn.ReLU(), nn.Conv2d(4, 4, 1, padding=1), nn.Flatten(), nn.LazyLinear(3))

    with pytest.raises(ValueError, match="a unit sees nothing but padding"):
        layer_graph(model.eval(), torch.zeros(1, *SHAPE))
