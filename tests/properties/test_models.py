"""One contract for every architecture in models/, and broken ones that it must refuse."""

import importlib
import inspect
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import touchstone
from touchstone.models.mlp import mlp
from touchstone.models.networks import checkpoints
from touchstone.models.unet import unet
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import Checkpoint

torch.set_num_threads(1)
FOLDER = Path(touchstone.__file__).parent / "models"
# A program is empty until its file is read: tests/unit/models/networks/test_programs.py runs those.
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if path.stem != "program_file")
SHAPE = (2, 12, 16)

# Settings that make the large ones small enough for a test; an architecture that is not here runs with its defaults.
SMALL = {
    "ensemble": {"member": partial(mlp, hidden=[6]), "members": 3},
    "preact_resnet18": {"width": 4},
    "wide_resnet": {"depth": 10, "width": 1},
    "resnet18": {"width": 4},
    "standardising_wide_resnet": {"depth": 10, "width": 1},
    "densenet_bc": {"depth": 10, "growth": 4},
    "resnet_generator": {"filters": 4, "blocks": 1},
}
TWO_CLASSES = {"logistic_regression"}


def architecture(name):
    return partial(getattr(importlib.import_module(f"touchstone.models.{name}"), name), **SMALL.get(name, {}))


def takes_classes(name):
    return "classes" in inspect.signature(architecture(name)).parameters


CLASSIFIERS = [name for name in NAMES if takes_classes(name)]
TRANSLATORS = [name for name in NAMES if not takes_classes(name) and not name.endswith("discriminator")]


def build(architecture, classes, seed=0):
    channels = SHAPE[0]
    return checkpoints.build(architecture, SHAPE, classes, (0.25,) * channels, (0.5,) * channels, seed)


def some_images(count=4):
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(7))


def check_seeds(architecture, classes):
    first, again, other = (checkpoints.weights_of(build(architecture, classes, seed)) for seed in (0, 0, 1))
    assert all(np.array_equal(first[name], again[name]) for name in first), "one seed gave two networks"
    assert any(not np.array_equal(first[name], other[name]) for name in first), "two seeds gave one network"


def check_rows(model):
    images = some_images()
    with torch.no_grad():
        together, alone = model(images), torch.cat([model(images[row : row + 1]) for row in range(len(images))])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5, msg="rows depend on each other in eval mode")


def check_bytes(architecture, model, classes):
    mean, std = (0.25,) * SHAPE[0], (0.5,) * SHAPE[0]
    stored = decode(encode(Checkpoint(checkpoints.weights_of(model), {"use": "it"}, SHAPE, classes, mean, std)))
    with torch.no_grad():
        loaded, expected = checkpoints.load(architecture, stored)(some_images()), model(some_images())
    assert torch.equal(loaded, expected), "the network changed between saving and loading"


def check_penultimate(model, logits):
    """The last linear layer makes the logits: all, or the one beside a constant 0, or those of a member or below a top."""
    layers = [module for module in model.modules() if isinstance(module, nn.Linear)]
    if not layers:
        return
    seen = []
    hook = checkpoints.penultimate(model).register_forward_hook(
        lambda _, inputs, output: seen.append((*inputs, output))
    )
    with torch.no_grad():
        model(some_images())
    hook.remove()
    ((features, output),) = seen
    assert features.dim() == 2 and len(features) == len(logits), f"features have shape {tuple(features.shape)}"
    if output.shape[1] == 1:
        output = torch.cat([torch.zeros_like(output), output], 1)
    if hasattr(model[1], "members"):
        normalised = model[0](some_images())
        logits = model[1].members[-1](normalised)
    if hasattr(model[1], "network"):
        logits = model[1].network(model[0](some_images()))
    torch.testing.assert_close(output, logits, msg="the last linear layer in module order does not make the logits")


def check_classifier(architecture, classes):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    model = build(architecture, classes).eval()
    assert torch.equal(torch.get_rng_state(), state), "building moved the global generator"
    check_seeds(architecture, classes)
    check_rows(model)
    images = some_images().requires_grad_()
    logits = model(images)
    assert logits.shape == (4, classes) and logits.dtype == torch.float32
    (gradient,) = torch.autograd.grad(logits[:, -1].sum(), images)
    assert bool(torch.isfinite(gradient).all()) and bool((gradient != 0).any()), "no usable input gradient"
    check_bytes(architecture, model, classes)
    check_penultimate(model, logits.detach())


def check_translator(architecture):
    model = build(architecture, 0).eval()
    check_seeds(architecture, 0)
    check_rows(model)
    check_bytes(architecture, model, 0)
    target = (some_images() > 0.5).float()
    reached = fitted(build_in_pixels(architecture), some_images(), target)
    assert reached.shape == target.shape
    assert float(reached.min()) >= 0 and float(reached.max()) <= 1, "the translator leaves [0, 1]"
    for end in (0.0, 1.0):
        assert bool((reached == end).any()), f"no pixel reaches {end:g} exactly"


def build_in_pixels(architecture):
    return checkpoints.build(architecture, SHAPE, 0, (0.0,) * SHAPE[0], (1.0,) * SHAPE[0])


def fitted(model, images, target):
    """Return what the translator makes of `images` after a short training towards `target`."""
    optimiser = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(40):
        optimiser.zero_grad()
        (model(images) - target).abs().mean().backward()
        optimiser.step()
    return model.eval()(images).detach()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_keeps_the_contract(name):
    check_classifier(architecture(name), 2 if name in TWO_CLASSES else 4)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_every_translator_keeps_the_contract(name):
    check_translator(architecture(name))


def test_both_kinds_were_found():
    assert {"small_cnn", "mlp", "ensemble"} <= set(CLASSIFIERS)
    assert set(TRANSLATORS) == {"unet", "resnet_generator"}


class HeadFirst(nn.Module):
    """A network whose head stands before its body in module order."""

    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(5, classes)
        self.body = nn.Linear(384, 5)

    def forward(self, images):
        return self.head(self.body(images.flatten(1)))


class Whitening(nn.Module):
    """A network that looks at the whole batch, in eval mode too."""

    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(384, classes)

    def forward(self, images):
        return self.head((images - images.mean(0)).flatten(1))


class Unsaved(nn.Module):
    """A network with random state that is not among its weights."""

    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(384, classes)
        self.scale = np.random.default_rng().random()

    def forward(self, images):
        return self.head(images.flatten(1)) * self.scale


def unseeded(input_shape, classes):
    network = mlp(input_shape, classes, hidden=[])
    network[1].weight.data.copy_(torch.tensor(np.random.default_rng().normal(size=(classes, 384))))
    return network


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (lambda input_shape, classes: HeadFirst(classes), "does not make the logits"),
        (lambda input_shape, classes: Whitening(classes), "rows depend on each other"),
        (lambda input_shape, classes: Unsaved(classes), "changed between saving and loading"),
        (unseeded, "one seed gave two networks"),
    ],
    ids=["head first", "whitening", "unsaved", "unseeded"],
)
def test_the_contract_refuses_a_broken_classifier(mutant, message):
    with pytest.raises(AssertionError, match=message):
        check_classifier(mutant, 4)


class Squashed(nn.Module):
    """A translator that ends in tanh, as published."""

    def __init__(self, input_shape):
        super().__init__()
        self.inner = unet(input_shape, filters=4)
        self.inner.correction.reset_parameters()

    def forward(self, images):
        return (torch.tanh(2 * self.inner(images) - 1) + 1) / 2


class Unclipped(nn.Module):
    """A translator whose sum is not clipped."""

    def __init__(self, input_shape):
        super().__init__()
        self.change = nn.Conv2d(input_shape[0], input_shape[0], 3, padding=1)

    def forward(self, images):
        return images + self.change(images)


@pytest.mark.parametrize(("mutant", "message"), [(Squashed, "no pixel reaches"), (Unclipped, "leaves .0, 1.")])
def test_the_contract_refuses_a_broken_translator(mutant, message):
    with pytest.raises(AssertionError, match=message):
        check_translator(mutant)
