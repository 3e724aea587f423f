"""Gradient norms against one backward pass per example, for every kind of layer and every way to share one."""

from __future__ import annotations

from io import BytesIO
from types import MethodType

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from touchstone.numerics import convolution_norms
from touchstone.numerics import gradient_norms as gradient_norms_module
from touchstone.numerics.convolution_norms import Window, weight_norms
from touchstone.numerics.gradient_norms import gradient_norms, parameter_names

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same'")


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def loss(logits: Tensor) -> Tensor:
    return (logits.flatten(1).tanh() * torch.linspace(-1, 2, logits[0].numel()).to(logits)).sum(1)


def reference(model: nn.Module, images: Tensor) -> Tensor:
    """Return the norms from one ordinary backward pass per example."""
    model.eval()
    rows = []
    for image in images:
        gradients = torch.autograd.grad(
            loss(model(image[None])).sum(), list(model.parameters()), allow_unused=True, materialize_grads=True
        )
        rows.append(torch.stack([gradient.square().sum() for gradient in gradients]))
    return torch.stack(rows)


def awaken(model: nn.Module) -> nn.Module:
    """Give the normalisation layers statistics and parameters that are not zeros and ones."""
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            module.running_mean.normal_(0.3, 0.5)
            module.running_var.uniform_(0.3, 2)
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model


class Positions(nn.Module):
    """Images (N, C, H, W) to (N, H * W, C): a row of positions."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(2).mT


class Row(nn.Module):
    """Images (N, C, H, W) to (N, C, H * W): one dimension."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(2)


def flat(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers, nn.Flatten(), nn.LazyLinear(3))


LAYERS = {
    "linear": lambda: nn.Sequential(nn.Flatten(), nn.Linear(4 * 7 * 6, 9), nn.ReLU(), nn.Linear(9, 3, bias=False)),
    "linear over many positions": lambda: flat(Positions(), nn.Linear(4, 3), nn.Tanh()),
    "linear over few positions": lambda: flat(nn.Flatten(2), nn.Linear(42, 40), nn.Tanh()),
    "linear over a plane": lambda: flat(nn.Linear(6, 5), nn.Tanh()),
    "convolution": lambda: flat(nn.Conv2d(4, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 6, 3)),
    "convolution without bias": lambda: flat(nn.Conv2d(4, 5, 3, bias=False)),
    "strided convolution": lambda: flat(nn.Conv2d(4, 5, (3, 2), stride=(2, 3), padding=(1, 0))),
    "dilated convolution": lambda: flat(nn.Conv2d(4, 5, 3, dilation=(2, 1), padding=2)),
    "grouped convolution": lambda: flat(nn.Conv2d(4, 6, 3, groups=2, padding=1)),
    "depthwise convolution": lambda: flat(nn.Conv2d(4, 8, 3, groups=4, stride=2)),
    "pointwise convolution": lambda: flat(nn.Conv2d(4, 5, 1, stride=2)),
    "padded pointwise convolution": lambda: flat(nn.Conv2d(4, 5, 1, padding=1)),
    "same padding": lambda: flat(nn.Conv2d(4, 5, (4, 3), padding="same")),
    "valid padding": lambda: flat(nn.Conv2d(4, 5, 3, padding="valid")),
    "reflected padding": lambda: flat(nn.Conv2d(4, 5, 3, padding=2, padding_mode="reflect")),
    "circular padding": lambda: flat(nn.Conv2d(4, 5, 3, padding=(1, 2), padding_mode="circular", stride=2)),
    "wide convolution on few pixels": lambda: flat(
        nn.MaxPool2d(3), nn.Conv2d(4, 64, 3, padding=1), nn.Conv2d(64, 64, 3, padding=1)
    ),
    "convolution in one dimension": lambda: flat(Row(), nn.Conv1d(4, 5, 3, stride=2, padding=1, dilation=2)),
    "grouped convolution in one dimension": lambda: flat(Row(), nn.Conv1d(4, 6, 3, groups=2, padding="same")),
    "batch norm": lambda: flat(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 2, 3)),
    "batch norm in one dimension": lambda: flat(Row(), nn.Conv1d(4, 5, 3), nn.BatchNorm1d(5), nn.Tanh()),
    "batch norm of features": lambda: nn.Sequential(nn.Flatten(), nn.Linear(168, 9), nn.BatchNorm1d(9), nn.Tanh()),
    "batch norm without parameters": lambda: flat(nn.Conv2d(4, 5, 3), nn.BatchNorm2d(5, affine=False), nn.ReLU()),
    "group norm": lambda: flat(nn.Conv2d(4, 6, 3), nn.GroupNorm(3, 6), nn.ReLU()),
    "layer norm": lambda: flat(nn.LayerNorm([4, 7, 6]), nn.ReLU()),
    "layer norm over positions": lambda: flat(Positions(), nn.Linear(4, 5), nn.LayerNorm(5), nn.Tanh()),
    "layer norm without bias": lambda: flat(Positions(), nn.LayerNorm(4, bias=False), nn.Tanh()),
    "instance norm": lambda: flat(nn.Conv2d(4, 5, 3), nn.InstanceNorm2d(5, affine=True), nn.ReLU()),
    "instance norm with statistics": lambda: flat(
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.ReLU()
    ),
    "instance norm in one dimension": lambda: flat(Row(), nn.InstanceNorm1d(4, affine=True), nn.Tanh()),
    "activation in place": lambda: flat(nn.Conv2d(4, 5, 3), nn.ReLU(inplace=True), nn.Conv2d(5, 4, 3), nn.ReLU(True)),
    "dropout": lambda: flat(nn.Conv2d(4, 5, 3), nn.Dropout(0.5)),
}


class Residual(nn.Module):
    """A block that adds and activates in place, as ResNets do."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.head = nn.Linear(168, 3)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.norm(self.conv(images))
        hidden += images
        return self.head(functional.relu_(hidden).flatten(1))


class CalledTwice(nn.Module):
    """One convolution on its own output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(168, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.conv(self.conv(images).tanh()).flatten(1))


class CalledAside(nn.Module):
    """One layer called twice, the second time for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.layer, self.head = nn.Linear(168, 9), nn.Linear(9, 9), nn.Linear(9, 3)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.layer(self.first(images.flatten(1))).tanh()
        self.layer(hidden)
        return self.head(hidden)


class TiedModules(nn.Module):
    """Two layers that share a weight but not a bias, and one layer under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = nn.Linear(168, 168), nn.Linear(168, 168), nn.Linear(168, 3)
        self.second.weight = self.first.weight
        self.alias = self.third

    def forward(self, images: Tensor) -> Tensor:
        return self.alias(self.second(self.first(images.flatten(1)).tanh()).tanh())


class UsedOutsideItsLayer(nn.Module):
    """An autoencoder-like use of a layer's weight, once through the layer and once bare."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.head = nn.Linear(168, 5), nn.Linear(168, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head((self.encode(images.flatten(1)).tanh() @ self.encode.weight).tanh())


class OnlyOutsideItsLayer(nn.Module):
    """A layer whose call does not reach the logits, while its weight does."""

    def __init__(self) -> None:
        super().__init__()
        self.aside, self.head = nn.Linear(168, 5), nn.Linear(5, 3)

    def forward(self, images: Tensor) -> Tensor:
        self.aside(images.flatten(1))
        return self.head(functional.linear(images.flatten(1), self.aside.weight).tanh())


class BareParameters(nn.Module):
    """A prompt before the first layer, a scale after it, a parameter without use and a layer without use."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt, self.scale = nn.Parameter(torch.rand(4, 7, 6)), nn.Parameter(torch.tensor(2.0))
        self.conv, self.head = nn.Conv2d(4, 2, 3), nn.Linear(2 * 5 * 4, 3)
        self.unused, self.idle = nn.Parameter(torch.rand(3)), nn.Linear(2, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.head((self.conv(images + self.prompt) * self.scale).tanh().flatten(1))


class Attention(nn.Module):
    """Self-attention, whose weights never run as layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.attend = nn.TransformerEncoderLayer(4, 2, dim_feedforward=6, dropout=0.0, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.attend(images.flatten(2).mT).mean(1))


class TimeFirst(nn.Module):
    """Layers whose first dimension is not the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.step, self.head = nn.LayerNorm(4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.step(self.norm(images.flatten(2).permute(2, 0, 1))).tanh().mean(0))


class ForwardOfItsOwn(nn.Linear):
    """A linear layer that is not linear in its weight."""

    def forward(self, images: Tensor) -> Tensor:
        return functional.linear(images, self.weight.tanh(), self.bias)


def _halved(*_: object) -> Tensor:
    return _[2] / 2


def _hooked() -> nn.Module:
    model = LAYERS["convolution"]()
    model[0].register_forward_hook(_halved)
    return model


def _patched() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(168, 3))
    model[1].forward = MethodType(lambda self, images: functional.linear(images, 2 * self.weight, self.bias), model[1])
    return model


class CrossAttention(nn.Module):
    """Attention of one sequence to another, whose weights never run as layers of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.attend, self.head = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        positions = images.flatten(2).mT
        return self.head(self.attend(positions[:, :5], positions, positions)[0].mean(1))


class SelfAttention(nn.Module):
    """Self-attention with its weights, a mask, and linear layers called several times."""

    def __init__(self, batch_first: bool, **settings: object) -> None:
        super().__init__()
        self.first = batch_first
        self.attend = nn.MultiheadAttention(4, 2, batch_first=batch_first, **settings)
        self.shared, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        positions = images.flatten(2).mT if self.first else images.flatten(2).permute(2, 0, 1)
        mask = torch.ones(42, 42, dtype=torch.bool, device=images.device).triu(1)
        for _ in range(2):
            attended, weights = self.attend(positions, positions, positions, attn_mask=mask)
            positions = positions + attended
        pooled = positions.mean(1 if self.first else 0) + weights.sum((1, 2))[:, None]
        return self.head(self.shared(self.shared(pooled).tanh()))


class SharedBias(nn.Module):
    """Two products of other widths that share a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Parameter(torch.rand(3, 168)), nn.Parameter(torch.rand(3, 42))
        self.bias = nn.Parameter(torch.rand(3))

    def forward(self, images: Tensor) -> Tensor:
        wide = functional.linear(images.flatten(1), 2 * self.wide, self.bias).tanh()
        return wide * functional.linear(images[:, 0].flatten(1), 2 * self.narrow, self.bias)


STRUCTURES = {
    "residual": Residual,
    "called twice": CalledTwice,
    "called twice for one use": CalledAside,
    "tied": TiedModules,
    "used outside its layer": UsedOutsideItsLayer,
    "used only outside its layer": OnlyOutsideItsLayer,
    "bare parameters": BareParameters,
    "attention": Attention,
    "self-attention": lambda: SelfAttention(batch_first=True),
    "self-attention, time first": lambda: SelfAttention(batch_first=False),
    "self-attention with biases of keys": lambda: SelfAttention(True, add_bias_kv=True, add_zero_attn=True),
    "self-attention without biases": lambda: SelfAttention(batch_first=True, bias=False),
    "cross-attention": CrossAttention,
    "shared bias": SharedBias,
    "time first": TimeFirst,
    "forward of its own": lambda: nn.Sequential(nn.Flatten(), ForwardOfItsOwn(168, 3)),
    "forward of the instance": _patched,
    "output replaced by a hook": _hooked,
    "bare linear": lambda: nn.Linear(6, 3),
    "unsupported layers": lambda: flat(nn.ConvTranspose2d(4, 5, 3), nn.PReLU(5), nn.Conv2d(5, 2, 3)),
    "weight norm": lambda: nn.Sequential(nn.Flatten(), parametrizations.weight_norm(nn.Linear(168, 3))),
    "spectral norm": lambda: flat(parametrizations.spectral_norm(nn.Conv2d(4, 5, 3))),
    "old spectral norm": lambda: flat(nn.utils.spectral_norm(nn.Conv2d(4, 5, 3))),
}
ALL = LAYERS | STRUCTURES


def build(name: str) -> tuple[nn.Module, Tensor]:
    images = torch.rand(5, 4, 7, 6)
    model = ALL[name]()
    model.eval()(images)  # shapes of the lazy layers
    return awaken(model), images


@pytest.mark.parametrize("name", ALL)
def test_norms_equal_those_of_one_backward_pass_per_example(name):
    model, images = build(name)

    found = gradient_norms(model, images, loss)
    precise = gradient_norms(model.double(), images.double(), loss)

    expected = reference(model, images.double())
    assert found.dtype == torch.float32
    torch.testing.assert_close(precise, expected, rtol=1e-9, atol=1e-14)
    # Under spectral norm the float32 gradient itself cancels, in one pass per example just as much.
    torch.testing.assert_close(found.double(), expected, rtol=1e-3 if name == "old spectral norm" else 1e-4, atol=1e-9)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", ["time first", "linear over many positions", "attention"])
def test_as_many_examples_as_positions_are_not_confused_with_them(name, create_graph):
    model, _ = build(name)
    images = torch.rand(42, 4, 7, 6)

    norms = gradient_norms(model, images, loss, create_graph=create_graph)

    torch.testing.assert_close(norms.detach(), reference(model, images), rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("name", ALL)
def test_norms_are_differentiable_in_the_images(name):
    model, images = build(name)
    model, images = model.double(), images.double()[:2].requires_grad_()
    model.eval()
    direction = torch.randn_like(images)
    step = 1e-6 * direction

    norms = gradient_norms(model, images, loss, create_graph=True)
    (gradient,) = torch.autograd.grad((norms + 1e-9).log().sum(), images)

    above, below = ((gradient_norms(model, images + sign * step, loss) + 1e-9).log().sum() for sign in (1, -1))
    torch.testing.assert_close(norms, gradient_norms(model, images, loss), rtol=1e-9, atol=1e-14)
    torch.testing.assert_close((gradient * direction).sum(), (above - below) / 2e-6, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        *(*LAYERS, "residual", "output replaced by a hook", "bare linear"),
        *("attention", "self-attention", "self-attention, time first", "self-attention without biases"),
    ],
)
def test_ordinary_layers_never_go_one_example_at_a_time(name, create_graph, monkeypatch):
    model, images = build(name)
    calls = []
    model.register_forward_pre_hook(lambda _, arguments: calls.append(len(arguments[0])))
    monkeypatch.setattr("touchstone.numerics.gradient_norms._own_gradients", None)

    gradient_norms(model, images.requires_grad_(create_graph), loss, create_graph=create_graph)

    assert calls == [1, len(images)]  # one image first, which shows what layers read


@pytest.mark.parametrize("numbers", [1 << 25, 1], ids=["all at once", "one by one"])
def test_only_what_has_no_closed_form_takes_the_gradients_of_each_example(numbers, monkeypatch):
    model, images = build("bare parameters")
    own, wanted = gradient_norms_module._own_gradients, []

    def recorded(model, leaves, names, *rest):
        wanted.extend(names)
        return own(model, leaves, names, *rest)

    monkeypatch.setattr(gradient_norms_module, "_NUMBERS", numbers)
    monkeypatch.setattr(gradient_norms_module, "_own_gradients", recorded)
    norms = gradient_norms(model, images, loss)

    assert wanted == (["prompt", "scale"] if numbers == 1 else parameter_names(model))
    torch.testing.assert_close(norms, reference(model, images), rtol=1e-4, atol=1e-7)


def test_a_network_that_vmap_cannot_follow_takes_a_pass_for_each_example(monkeypatch):
    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.scale = nn.Conv2d(3, 4, 3), nn.Parameter(torch.tensor(2.0))

        def forward(self, images: Tensor) -> Tensor:
            hidden = self.conv(images).flatten(1)
            return hidden * self.scale if float(hidden.sum()) > 0 else hidden * self.scale.square()

    model, images, passes = Branching(), build("bare parameters")[1][:, :3], []
    one_by_one = gradient_norms_module._one_by_one
    monkeypatch.setattr(gradient_norms_module, "_one_by_one", lambda *a: passes.append(1) or one_by_one(*a))

    norms = gradient_norms(model, images[:1], loss)

    assert passes
    torch.testing.assert_close(norms, reference(model, images[:1]), rtol=1e-4, atol=1e-7)


def test_a_loss_without_any_gradient_has_norms_of_zero():
    model, images = build("convolution")

    norms = gradient_norms(model, images, lambda logits: logits.detach()[:, 0])

    assert torch.equal(norms, torch.zeros(5, 6))


def test_an_input_overwritten_after_its_use_is_told_and_not_silently_wrong():
    class Overwriting(CalledTwice):
        def forward(self, images: Tensor) -> Tensor:
            images = images + 1
            hidden = self.conv(images)
            images.zero_()
            return self.head(hidden.flatten(1))

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        gradient_norms(Overwriting(), torch.rand(2, 4, 7, 6), loss)


@pytest.mark.parametrize("route", ["grouped", "gram", "shifted_gram"])
@pytest.mark.parametrize(
    "window",
    [
        Window((3, 3), (1, 1), (1, 1), (1, 1), 1),
        Window((2, 3), (2, 3), (0, 2), (1, 1), 1),
        Window((3, 1), (1, 2), (2, 0), (3, 1), 1),
        Window((1, 1), (2, 2), (0, 0), (1, 1), 1),
        Window((1, 1), (1, 1), (2, 1), (1, 1), 1),
        Window((5, 5), (3, 3), (4, 4), (1, 1), 1),
        Window((2, 2), (4, 4), (3, 3), (1, 1), 1),
        Window((2, 2), (1, 1), (3, 3), (11, 11), 1),  # taps that no position sees inside the input
    ],
)
@pytest.mark.parametrize("chunk", [1, 1 << 20])
def test_every_route_through_a_convolution_is_exact(route, window, chunk, monkeypatch):
    monkeypatch.setattr(convolution_norms, "CHUNK", chunk)
    inputs = torch.rand(3, 2, 7, 8, dtype=torch.float64)
    weight = torch.rand(4, 2, *window.kernel, dtype=torch.float64, requires_grad=True)
    output = functional.conv2d(inputs, weight, None, window.stride, window.padding, window.dilation)
    deltas = torch.randn_like(output)
    gradients = [torch.autograd.grad(o, weight, d, retain_graph=True)[0] for o, d in zip(output, deltas, strict=True)]

    found = convolution_norms._ROUTES[route](inputs, deltas, window)

    torch.testing.assert_close(found, torch.stack([each.square().sum() for each in gradients]), rtol=1e-10, atol=0)


def test_the_cheapest_route_depends_on_the_shape(monkeypatch):
    window, taken = Window((3, 3), (1, 1), (1, 1), (1, 1), 1), []
    routes = {name: lambda *_, name=name: taken.append(name) for name in convolution_norms._ROUTES}
    monkeypatch.setattr(convolution_norms, "_ROUTES", routes)

    weight_norms(torch.empty(1, 3, 28, 28), torch.empty(1, 3, 28, 28), window)
    weight_norms(torch.empty(1, 512, 4, 4), torch.empty(1, 512, 4, 4), window)

    assert taken == ["grouped", "shifted_gram"]


def test_a_vanishing_convolution_norm_is_never_negative():
    window, inputs = Window((1, 1), (1, 1), (0, 0), (1, 1), 1), torch.ones(256, 8, 4, 4)
    deltas = torch.randn(256, 8, 4, 4)
    deltas -= deltas.mean((2, 3), keepdim=True)

    for route in convolution_norms._ROUTES.values():
        assert route(inputs, deltas, window).min() >= 0


def small_network(dtype: torch.dtype = torch.float64) -> nn.Module:
    return awaken(
        nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(36, 3)
        )
    ).to(dtype)  # fmt: skip


def test_norms_do_not_depend_on_the_batch_or_its_order():
    model, images = small_network(), torch.rand(6, 1, 8, 8, dtype=torch.float64)
    together = gradient_norms(model, images, loss)

    alone = torch.cat([gradient_norms(model, image[None], loss) for image in images])
    turned = gradient_norms(model, images.flip(0), loss).flip(0)

    torch.testing.assert_close(alone, together, rtol=1e-10, atol=0)
    torch.testing.assert_close(turned, together, rtol=1e-10, atol=0)


def test_norms_add_up_to_the_norm_of_the_whole_gradient():
    model, images = small_network(), torch.rand(1, 1, 8, 8, dtype=torch.float64)
    model.eval()
    gradients = torch.autograd.grad(loss(model(images)).sum(), list(model.parameters()))

    total = gradient_norms(model, images, loss).sum()

    torch.testing.assert_close(total, torch.cat([each.flatten() for each in gradients]).square().sum())


def test_the_norm_of_a_single_weight_is_its_squared_finite_difference():
    model, images = nn.Linear(1, 1, bias=False).double(), torch.tensor([[0.7]], dtype=torch.float64)
    (norm,) = gradient_norms(model, images, lambda logits: logits[:, 0].sin())

    weight, h = model.weight.detach(), 1e-4
    slope = (((weight + h) * 0.7).sin() - ((weight - h) * 0.7).sin()) / (2 * h)

    torch.testing.assert_close(norm, slope[0] ** 2, rtol=1e-7, atol=0)


def test_the_loss_may_hold_a_label_for_each_row():
    model, images, labels = CalledTwice().double(), torch.rand(3, 4, 7, 6).double(), torch.tensor([0, 2, 1])
    expected = torch.cat(
        [
            gradient_norms(model, images[row : row + 1], lambda z, row=row: functional.cross_entropy(z, labels[row : row + 1], reduction="none"))
            for row in range(3)
        ]
    )  # fmt: skip

    found = gradient_norms(model, images, lambda logits: functional.cross_entropy(logits, labels, reduction="none"))

    torch.testing.assert_close(found, expected, rtol=1e-10, atol=0)


def test_columns_are_the_named_parameters_in_their_order():
    model = TiedModules()

    names = parameter_names(model)

    assert names == [name for name, _ in model.named_parameters()]
    assert names == ["first.weight", "first.bias", "second.bias", "third.weight", "third.bias"]
    assert gradient_norms(model, torch.rand(2, 4, 7, 6), loss).shape == (2, 5)


def snapshot(model: nn.Module) -> list[object]:
    tensors = [(name, values.clone()) for name, values in model.state_dict().items()]
    flags = [(p.requires_grad, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    hooks = [(len(m._forward_hooks), len(m._forward_pre_hooks), m.training) for m in model.modules()]
    return [tensors, flags, hooks, [id(parameter) for parameter in model.parameters()]]


def same(left: object, right: object) -> bool:
    if isinstance(left, Tensor):
        return torch.equal(left, right)
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return left == right


@pytest.mark.parametrize("create_graph", [False, True])
def test_the_network_comes_back_as_it_was(create_graph):
    model, images = small_network(torch.float32).train(), torch.rand(3, 1, 8, 8, requires_grad=True)
    model[1].eval()
    model[0].weight.requires_grad_(False)
    model[5].weight.grad = torch.ones_like(model[5].weight)
    before = snapshot(model)

    norms = gradient_norms(model, images, loss, create_graph=create_graph)
    if create_graph:
        norms.sum().backward()

    assert same(snapshot(model), before)
    assert norms.requires_grad == create_graph
    assert (images.grad is not None) == create_graph


def test_the_network_comes_back_as_it_was_after_an_error():
    model, images = small_network(torch.float32).train(), torch.rand(3, 1, 8, 8)
    before = snapshot(model)

    with pytest.raises(RuntimeError, match="broken"):
        gradient_norms(nn.Sequential(model, Broken()), images, loss)

    assert same(snapshot(model), before)


class Broken(nn.Module):
    """A layer that fails."""

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("broken")


def test_norms_are_taken_in_eval_mode_and_without_a_surrounding_no_grad():
    model, images = small_network().train(), torch.rand(3, 1, 8, 8, dtype=torch.float64)

    with torch.no_grad():
        found = gradient_norms(model, images, loss)

    torch.testing.assert_close(found, reference(model, images), rtol=1e-9, atol=0)


def test_a_second_backward_pass_calls_no_hook_of_the_first():
    model, images = small_network(), torch.rand(2, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    norms = gradient_norms(model, images, loss, create_graph=True)

    first = torch.autograd.grad(norms.sum(), images, retain_graph=True)[0]
    second = torch.autograd.grad(norms.sum(), images)[0]

    assert torch.equal(first, second)


def test_a_layer_under_two_names_keeps_its_parameters():
    model, images = build("tied")
    before = dict(model.named_parameters(remove_duplicate=False))

    gradient_norms(model, images, loss)

    after = dict(model.named_parameters(remove_duplicate=False))
    assert all(after[name] is parameter for name, parameter in before.items())


def test_batch_norm_without_running_statistics_is_refused_by_name():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False))

    with pytest.raises(ValueError, match="1: BatchNorm2d without running statistics"):
        gradient_norms(model, torch.rand(2, 1, 8, 8), loss)


@pytest.mark.parametrize("broken", [lambda logits: logits.sum(), lambda logits: logits])
def test_a_loss_that_is_not_one_value_per_row_is_refused(broken):
    with pytest.raises(ValueError, match=r"expected one value per row, \(2,\)"):
        gradient_norms(small_network(torch.float32), torch.rand(2, 1, 8, 8), broken)


def test_the_norm_of_a_square_of_one_product_is_known_on_paper():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(3)

    norms = gradient_norms(model, torch.tensor([[2.0]]), lambda logits: logits[:, 0] ** 2 / 2)  # gradient: w x * x

    assert norms.item() == (3 * 2 * 2) ** 2


@pytest.mark.parametrize(("device", "chunks"), [("cpu", 16), ("meta", 1)])  # meta: as on a GPU
def test_convolutions_take_examples_in_large_chunks_but_on_a_cpu(device, chunks):
    values = torch.empty(64, 1, device=device)

    assert len(list(convolution_norms._chunks(2**16, values, values))) == chunks


def loaded(kind, net, images):
    """Return what a program of `kind` is after it was loaded from a file."""
    file = BytesIO()
    if kind == "torch.export":
        torch.export.save(torch.export.export(net, (images,)), file)
        file.seek(0)
        return torch.export.load(file).module()
    torch.jit.save(torch.jit.trace(net, images), file)
    file.seek(0)
    return torch.jit.load(file)


@pytest.mark.parametrize("kind", ["torch.export", "TorchScript"])
@pytest.mark.filterwarnings("ignore")
def test_a_program_from_a_file_is_refused_with_what_to_do(kind):
    net, images = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(2, 1, 2, 2)

    with pytest.raises(TypeError, match=f"got a {kind} program: build the network in Python"):
        gradient_norms(loaded(kind, net, images), images, loss)


def test_what_is_no_network_is_refused_with_its_type():
    with pytest.raises(TypeError, match=r"expected a torch.nn.Module with layers, got function"):
        gradient_norms(lambda images: images.flatten(1), torch.rand(2, 1, 2, 2), loss)


class WithPrototypes(nn.Module):
    """Logits against one row per class, which is read from a table and not from the images."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(9, 4), nn.Linear(6, 4)
        self.register_buffer("table", torch.randn(classes, 6))

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images.flatten(1)) @ self.head(self.table).T


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("count", [1, 4, 5, 6])
def test_a_layer_with_as_many_rows_as_images_that_reads_no_image_is_no_layer_of_them(count, create_graph):
    model, images = WithPrototypes(5), torch.rand(count, 1, 3, 3)

    norms = gradient_norms(model, images, loss, create_graph=create_graph)

    torch.testing.assert_close(norms.detach(), reference(model, images), rtol=1e-4, atol=1e-8)


class Standardised(nn.Conv2d):
    def _conv_forward(self, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return super()._conv_forward(images, weight / weight.detach().std(), bias)


def test_a_convolution_that_changes_its_weights_when_it_runs_has_its_own_norms():
    model, images = nn.Sequential(Standardised(1, 2, 3), nn.Flatten(), nn.Linear(18, 3)), torch.rand(4, 1, 5, 5)

    torch.testing.assert_close(gradient_norms(model, images, loss), reference(model, images), rtol=1e-4, atol=1e-8)
