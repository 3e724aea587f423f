"""One contract for every objective in training/, and broken ones that it must refuse."""

import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import touchstone
from touchstone.models.ensemble import ensemble
from touchstone.models.networks import checkpoints
from touchstone.models.patch_discriminator import patch_discriminator
from touchstone.models.shallow_rbf import shallow_rbf
from touchstone.models.softmax_regression import softmax_regression
from touchstone.models.unet import unet
from touchstone.numerics.tensors import RandomStreams, frozen, seeded

torch.set_num_threads(1)
FOLDER = Path(touchstone.__file__).parent / "training"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
SHAPE, CLASSES, COUNT = (1, 8, 8), 3, 6


def attack(model, images, labels, generator):
    """Two steps of PGD, written out so that training/ is tested without attacks/."""
    points = (images + 0.05 * generator.signs(images.shape[1:])).clamp(0, 1)
    for _ in range(2):
        points = points.detach().requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(functional.cross_entropy(model(points), labels, reduction="sum"), points)
        points = (points + 0.05 * gradient.sign()).clamp(0, 1)
    return points.detach()


def convolutional(input_shape, classes):
    """A network with batch statistics, so that a pass in the wrong mode leaves a trace."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, classes)
    )  # fmt: skip


def moved_unet(input_shape):
    network = unet(input_shape, filters=2)
    network.correction.reset_parameters()  # a fresh one is the identity, with few gradients
    return network


# What an objective trains where it is not a classifier like any other.
TRAINS = {
    "translation": (moved_unet, 0),
    "denoising": (moved_unet, 0),
    "pix2pix": (moved_unet, 0),
    "cycle_gan": (moved_unet, 0),
    "shift_translation": (partial(unet, filters=2), 0),  # dark inputs, which a moved one may clip to black
    "member_wise": (partial(ensemble, member=softmax_regression, members=2), CLASSES),
    "one_versus_rest": (shallow_rbf, CLASSES),
}
NESTED = {"attack": attack}
JUDGE = partial(patch_discriminator, filters=2, layers=1)


def model_for(name):
    architecture, classes = TRAINS.get(name, (convolutional, CLASSES))
    centre = (0.5,) if classes else (0.0,)  # translators see pixels as they are
    return checkpoints.build(architecture, SHAPE, classes, centre, (0.5,) if classes else (1.0,))


def companions_of(objective):
    """Return what the objective's file builds to be trained beside the network; nothing for most."""
    build = getattr(importlib.import_module(objective.__module__), "companions", None)
    if build is None:
        return nn.Module()
    asked = inspect.signature(build).parameters
    judge = partial(JUDGE, paired=False) if "generator_back" in asked else JUDGE
    *_, last = (part for part in model_for("clean").modules() if isinstance(part, nn.Linear))
    given = {"generator_back": moved_unet, "discriminator": judge, "features": last.in_features}
    with seeded(0, "companions"):
        return build(SHAPE, **{name: value for name, value in given.items() if name in asked})


def inputs_for(objective, rows=None):
    """Return every input that the objective asks for, fresh draws included."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.arange(COUNT) if rows is None else rows
    outliers = torch.rand(4, *SHAPE, generator=generator)
    given = {
        "images": torch.rand(COUNT, *SHAPE, generator=generator)[rows],
        "labels": (torch.arange(COUNT) % CLASSES)[rows],
        "generator": RandomStreams(0, "attack", rows),
        "outliers": outliers,
        "outlier_generator": RandomStreams(0, "outlier", torch.arange(4)),
        "classifier": checkpoints.build(convolutional, SHAPE, CLASSES, (0.5,), (0.5,), seed=1),
        "companions": companions_of(objective),
        "static_networks": [
            checkpoints.build(convolutional, SHAPE, CLASSES, (0.5,), (0.5,), seed=seed) for seed in (1, 2)
        ],
    }
    asked = inspect.signature(objective).parameters
    settings = {
        name: value for name, value in NESTED.items() if name in asked and asked[name].default is asked[name].empty
    }
    return {name: value for name, value in given.items() if name in asked} | settings


def check_objective(objective, name=""):
    model = model_for(name).train()
    inputs = inputs_for(objective)
    before = {key: value.clone() for key, value in inputs.items() if isinstance(value, torch.Tensor)}
    torch.manual_seed(0)
    state = torch.get_rng_state()

    loss = objective(model, **inputs)

    assert loss.shape == () and bool(torch.isfinite(loss)), "not one finite loss"
    assert torch.equal(torch.get_rng_state(), state), "draws from the global generator"
    assert all(torch.equal(inputs[key], value) for key, value in before.items()), "changes its inputs"
    assert all(module.training for module in model.modules()), "leaves the network in another mode"
    check_passes(model)
    torch.autograd.backward(loss)
    assert any(bool((parameter.grad != 0).any()) for parameter in model.parameters() if parameter.grad is not None), (
        "no gradient reaches the network"
    )
    for other in [*inputs.get("static_networks", ()), *([inputs["classifier"]] if "classifier" in inputs else [])]:
        assert all(parameter.grad is None for parameter in other.parameters()), "trains another network"
        check_passes(other, most=0)
    check_draws(objective, name)
    check_frozen(objective, name)


def check_passes(model, most=2):
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert int(module.num_batches_tracked) <= most, "the attack moves the batch statistics"


def check_draws(objective, name):
    """The same draws give the same loss, and the order of the rows gives no other."""
    with frozen(model := model_for(name)):
        first, again = (float(objective(model, **inputs_for(objective))) for _ in range(2))
        rows = torch.arange(COUNT).flip(0)
        turned = float(objective(model, **inputs_for(objective, rows)))
    assert first == again, "the same draws give another loss"
    assert turned == pytest.approx(first, rel=1e-4), "the order of the rows changes the loss"


def check_frozen(objective, name):
    """Validation: a frozen network comes back as it went in, and nothing hangs on its weights."""
    model = model_for(name)
    before = checkpoints.weights_of(model)
    inputs = inputs_for(objective)
    with frozen(model), frozen(inputs.get("companions", nn.Module())):
        loss = objective(model, **inputs)
        assert not loss.requires_grad, "a loss with a graph from a frozen network"
    after = checkpoints.weights_of(model)
    assert all((before[key] == after[key]).all() for key in before), "validation changes the network"


@pytest.mark.parametrize("name", NAMES)
def test_every_objective_keeps_the_contract(name):
    check_objective(getattr(importlib.import_module(f"touchstone.training.{name}"), name), name)


def test_the_objectives_were_found():
    assert {"clean", "adversarial", "trades", "outlier_exposed", "translation"} <= set(NAMES)


def in_train_mode(model, images, labels, generator):
    return functional.cross_entropy(model(attack(model, images, labels, generator)), labels)


def forgets_the_mode(model, images, labels, generator):
    model.eval()
    return functional.cross_entropy(model(images), labels)


def global_noise(model, images, labels, generator):
    return functional.cross_entropy(model(images + 0.1 * torch.rand_like(images)), labels)


def in_place(model, images, labels, generator):
    return functional.cross_entropy(model(images.mul_(0.5)), labels)


def by_position(model, images, labels, generator):
    weights = torch.arange(len(images)).float()
    return (weights * functional.cross_entropy(model(images), labels, reduction="none")).mean()


def detached(model, images, labels, generator):
    return functional.cross_entropy(model(images).detach(), labels).requires_grad_()


def trains_the_other(model, images, labels, generator, static_networks):
    return sum(functional.cross_entropy(network(images), labels) for network in [model, *static_networks])


def per_row(model, images, labels, generator):
    return functional.cross_entropy(model(images), labels, reduction="none")


@pytest.mark.parametrize(
    ("mutant", "message"),
    [
        (in_train_mode, "the attack moves the batch statistics"),
        (forgets_the_mode, "in another mode"),
        (global_noise, "global generator"),
        (in_place, "changes its inputs"),
        (by_position, "order of the rows"),
        (detached, "no gradient reaches"),
        (trains_the_other, "trains another network"),
        (per_row, "not one finite loss"),
    ],
)
def test_the_contract_refuses_a_broken_objective(mutant, message):
    with pytest.raises(AssertionError, match=message):
        check_objective(mutant)
