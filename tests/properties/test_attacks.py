"""One contract for every attack of the folder, and the mutants that it must reject."""

from __future__ import annotations

import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import touchstone
from touchstone import registry
from touchstone.attacks.adversary.losses import cross_entropy, margin_loss
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.numerics.tensors import RandomStreams, frozen, seeded

torch.set_num_threads(1)

FOLDER = Path(touchstone.__file__).parent / "attacks"
NAMES = registry.names(FOLDER.name)
# Sizes for speed, and a value for settings that have no default.
SMALL = {"steps": 5, "restarts": 2, "draws": 3, "queries": 60, "samples": 8, "searches": 3}
REQUIRED = {"attacks": [fgsm, partial(pgd, steps=3)]}


def component(name):
    module = importlib.import_module(f"touchstone.attacks.{name}")
    function = getattr(module, name)
    known = inspect.signature(function).parameters
    chosen = {key: value for key, value in {**SMALL, **REQUIRED}.items() if key in known}
    attack = partial(function, **chosen)
    return on_scores(attack) if "in_distribution" in known else attack, "eps" in known, getattr(module, "BUDGET", "eps")


def on_scores(attack):
    """The attack that takes for in distribution what has an even label, and is told nothing where labels are none."""

    def told(model, images, labels, generator, **settings):
        known = labels % 2 == 0 if bool(((labels >= 0) & (labels < 4)).all()) else labels
        return attack(model, images, known, generator, **settings)

    return told


class Net(nn.Module):
    """Every kind of state that an attack could spoil: batch norm buffers, dropout, mixed modes and flags, gradients."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten())
        self.head = nn.Linear(64, 4)

    def forward(self, images):
        return self.head(self.body(images))


@pytest.fixture
def net():
    with seeded(3, "init"):
        model = Net().double()
        model.body[1].running_mean.normal_(0, 0.2)
        model.body[1].running_var.uniform_(0.5, 1.5)
    model.train()
    model.body[3].eval()
    model.head.bias.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    return model


IMAGES = torch.rand(6, 1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])


def draws(rows=None, seed=0):
    ids = torch.arange(100, 106)
    return RandomStreams(seed, "attack", ids if rows is None else ids[rows])


def state(model):
    return {
        "weights": {name: value.clone() for name, value in model.state_dict().items()},
        "modes": [module.training for module in model.modules()],
        "flags": [parameter.requires_grad for parameter in model.parameters()],
        "grads": [None if p.grad is None else p.grad.clone() for p in model.parameters()],
    }


def same(first, second):
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def check_shape_and_range(attack, net, budget):
    found = attack(net, IMAGES, LABELS, draws())

    assert found.shape == IMAGES.shape and found.dtype == IMAGES.dtype and not found.requires_grad
    assert torch.isfinite(found).all() and found.min() >= 0 and found.max() <= 1
    tracked = attack(net, IMAGES.clone().requires_grad_(), LABELS, draws())
    assert torch.equal(tracked, found) and not tracked.requires_grad
    single = attack(net.float(), IMAGES.float(), LABELS, draws())
    assert single.dtype == torch.float32 and single.min() >= 0 and single.max() <= 1


def check_budget(attack, net, budget):
    if budget == "eps":
        for eps in (0.03, 0.1, 0.4):
            found = attack(net, IMAGES, LABELS, draws(), eps=eps)
            assert (found - IMAGES).abs().max() <= eps + 1e-6
            assert not torch.equal(found, IMAGES)


def check_zero_eps(attack, net, budget):
    if budget == "eps":
        assert torch.equal(attack(net, IMAGES, LABELS, draws(), eps=0.0), IMAGES)


def check_model_state(attack, net, budget):
    before = state(net)
    attack(net, IMAGES, LABELS, draws())
    assert same(before, state(net))


def check_arguments(attack, net, budget):
    images, labels = IMAGES.clone(), LABELS.clone()
    attack(net, images, labels, draws())
    assert torch.equal(images, IMAGES) and torch.equal(labels, LABELS) and not images.requires_grad


def check_repeats(attack, net, budget):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = attack(net, IMAGES, LABELS, draws())
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(2)
        assert torch.equal(first, attack(net, IMAGES, LABELS, draws()))


def check_batches(attack, net, budget):
    whole = attack(net, IMAGES, LABELS, draws())
    for rows in (torch.tensor([4, 1]), torch.tensor([0]), torch.tensor([5, 3, 2])):
        part = attack(net, IMAGES[rows], LABELS[rows], draws(rows))
        torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-9)


def check_plain_function(attack, net, budget):
    weights = torch.linspace(-1, 1, 36 * 3, dtype=torch.float64).view(36, 3)
    with torch.no_grad():
        found = attack(lambda images: images.flatten(1) @ weights, IMAGES, LABELS % 3, draws())
    assert found.shape == IMAGES.shape


def check_refusals(attack, net, budget):
    nan, far = IMAGES.clone(), IMAGES.clone()
    nan[2, 0, 0, 0], far[3, 0, 1, 1] = float("nan"), 1.2
    for images, labels in [(nan, LABELS), (far, LABELS), (IMAGES, LABELS + 1), (IMAGES, LABELS - 1)]:
        before = state(net)
        with pytest.raises(ValueError):
            attack(net, images, labels, draws())
        assert same(before, state(net))


CHECKS = [
    check_shape_and_range, check_budget, check_zero_eps, check_model_state, check_arguments, check_repeats,
    check_batches, check_plain_function, check_refusals,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_every_attack_keeps_the_contract(name, check, net):
    attack, has_eps, budget = component(name)
    assert has_eps or budget != "eps", f"{name} has no eps: say so with BUDGET = None"

    check(attack, net, budget)


def gradient_of(model, images, labels):
    images = images.detach().requires_grad_()
    return torch.autograd.grad(cross_entropy(model(images), labels).sum(), images)[0]


def forgets_to_project(model, images, labels, generator, *, eps=0.1):
    with frozen(model):
        for _ in range(3):
            images = (images + eps * gradient_of(model, images, labels).sign()).clamp(0, 1)
    return images


def forgets_the_unit_range(model, images, labels, generator, *, eps=0.1):
    with frozen(model):
        return images + eps * gradient_of(model, images, labels).sign()


def leaves_the_model_in_eval_mode(model, images, labels, generator, *, eps=0.1):
    found = pgd(model, images, labels, generator, eps=eps, steps=2)
    if isinstance(model, nn.Module):
        model.eval()
    return found


def runs_in_train_mode(model, images, labels, generator, *, eps=0.1):
    return (images + eps * gradient_of(model, images, labels).sign()).clamp(0, 1)


def fills_the_gradients(model, images, labels, generator, *, eps=0.1):
    with frozen(model):
        modes = [parameter.requires_grad_() for parameter in model.parameters()]
        cross_entropy(model(images), labels).sum().backward()
    return fgsm(model, images, labels, generator, eps=eps) if modes else images


def draws_from_the_global_generator(model, images, labels, generator, *, eps=0.1):
    return (images + eps * (2 * torch.rand_like(images) - 1)).clamp(0, 1)


def starts_the_same_way_in_every_batch(model, images, labels, generator, *, eps=0.1):
    start = torch.rand(images.shape, generator=torch.Generator().manual_seed(0), dtype=images.dtype)
    return (images + eps * (2 * start - 1)).clamp(0, 1)


def scales_steps_by_the_batch(model, images, labels, generator, *, eps=0.1):
    with frozen(model):
        gradient = gradient_of(model, images, labels)
    return (images + (eps * gradient / gradient.abs().max())).clamp(0, 1)


def works_in_place(model, images, labels, generator, *, eps=0.1):
    return images.copy_(fgsm(model, images, labels, generator, eps=eps))


def moves_without_a_budget(model, images, labels, generator, *, eps=0.1):
    return fgsm(model, images, labels, generator, eps=max(eps, 0.01))


def accepts_anything(model, images, labels, generator, *, eps=0.1):
    return (images + eps).clamp(0, 1)


MUTANTS = [
    (forgets_to_project, check_budget), (forgets_the_unit_range, check_shape_and_range),
    (leaves_the_model_in_eval_mode, check_model_state), (runs_in_train_mode, check_model_state),
    (fills_the_gradients, check_model_state), (draws_from_the_global_generator, check_repeats),
    (starts_the_same_way_in_every_batch, check_batches), (scales_steps_by_the_batch, check_batches),
    (works_in_place, check_arguments), (moves_without_a_budget, check_zero_eps), (accepts_anything, check_refusals),
]  # fmt: skip


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=lambda item: item.__name__)
def test_the_contract_rejects(mutant, check, net):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(mutant, net, "eps")


pixels = st.floats(0, 1, width=32)


@st.composite
def linear_problems(draw, most=4):
    """A linear model with up to `most` classes on up to 5 pixels, images that may touch 0 and 1, and labels."""
    classes, size, count = draw(st.integers(2, most)), draw(st.integers(1, 5)), draw(st.integers(1, 4))
    weights = torch.tensor(draw(st.lists(st.integers(-8, 8), min_size=classes * size, max_size=classes * size))) / 4
    images = torch.tensor(draw(st.lists(pixels, min_size=count * size, max_size=count * size)))
    labels = torch.tensor(draw(st.lists(st.integers(0, classes - 1), min_size=count, max_size=count)))
    weights = weights.double().view(size, classes)
    return (lambda x: x.flatten(1) @ weights), images.double().view(count, 1, 1, size), labels


@settings(max_examples=60, deadline=None)
@given(linear_problems(most=2), st.floats(0, 1), st.floats(0, 1))  # one gradient everywhere
def test_on_linear_models_of_two_classes_a_larger_eps_never_lowers_the_loss(problem, first, second):
    model, images, labels = problem
    generator = lambda: RandomStreams(0, "attack", torch.arange(len(images)))  # noqa: E731

    losses = [
        margin_loss(model(pgd(model, images, labels, generator(), eps=eps, steps=10, random_start=False)), labels)
        for eps in sorted((first, second))
    ]

    assert (losses[1] >= losses[0] - 1e-9).all()


@settings(max_examples=60, deadline=None)
@given(linear_problems(), st.floats(0, 1))
def test_one_pgd_step_of_size_eps_without_random_start_is_fgsm(problem, eps):
    model, images, labels = problem
    generator = RandomStreams(0, "attack", torch.arange(len(images)))

    single = fgsm(model, images, labels, generator, eps=eps)
    stepped = pgd(model, images, labels, generator, eps=eps, steps=1, step_size=max(eps, 1e-12), random_start=False)

    higher = margin_loss(model(single), labels) > margin_loss(model(images), labels)
    assert torch.equal(single[higher], stepped[higher])
    assert torch.equal(stepped[~higher], images[~higher])
