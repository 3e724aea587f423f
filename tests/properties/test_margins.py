"""One contract for every margin of the folder, and the mutants that it must reject."""

from __future__ import annotations

import importlib
import inspect
from functools import partial
from pathlib import Path

import pytest
import torch
from linear_margins import linear_margins
from torch import nn

import touchstone
from touchstone.attacks.margins.certified_linear import certified_linear
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.evaluations.statistics.margin_cells import CERTIFIED
from touchstone.numerics.tensors import RandomStreams, seeded

torch.set_num_threads(1)

FOLDER = Path(touchstone.__file__).parent / "attacks/margins"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py") if not path.stem.startswith(CERTIFIED))
BOUNDS = sorted(path.stem for path in FOLDER.glob(f"{CERTIFIED}*.py"))


def component(name):
    function = getattr(importlib.import_module(f"touchstone.attacks.margins.{name}"), name)
    small = {"steps": 15, "restarts": 2}
    return partial(function, **{k: v for k, v in small.items() if k in inspect.signature(function).parameters})


@pytest.fixture
def net():
    with seeded(3, "init"):
        model = nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 4)
        ).double()
        model[1].running_mean.normal_(0, 0.2)
    model.train()
    model[3].eval()
    model[5].bias.requires_grad_(False)
    model[5].weight.grad = torch.ones_like(model[5].weight)
    return model


IMAGES = torch.rand(6, 1, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
WEIGHTS = torch.randn(3, 36, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def draws(rows=None):
    ids = torch.arange(100, 106)
    return RandomStreams(0, "attack", ids if rows is None else ids[rows])


def check_shape(margin, net):
    margins, found = margin(net, IMAGES, LABELS, draws())
    assert margins.shape == found.shape == (6,) and found.dtype == torch.bool and margins.dtype == IMAGES.dtype
    assert not margins.requires_grad
    assert (margins[found] >= 0).all() and margins[found].isfinite().all() and margins[~found].isposinf().all()


def check_nothing_found(margin, net):
    """A failed search is +inf and not found; a margin of 0 there would make the most robust images brittle."""
    margins, found = margin(lambda images: WEIGHTS[:, 0] + 0 * images.flatten(1)[:, :3], IMAGES, LABELS, draws())
    assert not found.any() and margins.isposinf().all()


def check_upper_bound(margin, net):
    """On a linear model no margin is below the exact one, nor far above it."""
    exact = linear_margins(WEIGHTS, torch.zeros(3), IMAGES)
    margins, found = margin(lambda images: images.flatten(1) @ WEIGHTS.T, IMAGES, LABELS, draws())
    assert found.all() and (margins >= exact * (1 - 1e-6)).all() and (margins <= exact * 1.05).all()


def check_ties(margin, net):
    """An image on a tie of logits is the most brittle one there is; +inf would make it the most robust one."""
    for lead in (0.0, 1e-9):

        def model(images, lead=lead):
            own = (images.flatten(1) @ WEIGHTS.T)[:, :1]
            tied = (IMAGES.flatten(1) @ WEIGHTS.T)[:, :1]
            return torch.cat([own, tied - lead], 1)

        margins, crossed = margin(model, IMAGES, LABELS, draws())
        assert crossed.all() and (margins <= 2e-6).all()


def check_labels_unused(margin, net):
    first, second = margin(net, IMAGES, LABELS, draws()), margin(net, IMAGES, (LABELS + 1) % 4, draws())
    assert all(map(torch.equal, first, second))


def check_model_state(margin, net):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    margin(net, IMAGES, LABELS, draws())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    assert [m.training for m in net.modules()] == [True, True, True, True, False, True, True]
    assert [p.requires_grad for p in net.parameters()] == [True] * 5 + [False]
    assert [p.grad is not None for p in net.parameters()] == [False] * 4 + [True, False]
    assert torch.equal(net[5].weight.grad, torch.ones_like(net[5].weight))


def check_arguments(margin, net):
    images = IMAGES.clone()
    margin(net, images, LABELS, draws())
    assert torch.equal(images, IMAGES) and not images.requires_grad


def check_repeats(margin, net):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        first = margin(net, IMAGES, LABELS, draws())
        assert torch.equal(before, torch.get_rng_state())
        torch.manual_seed(2)
        assert all(map(torch.equal, first, margin(net, IMAGES, LABELS, draws())))


def check_batches(margin, net):
    whole = margin(net, IMAGES, LABELS, draws())
    for rows in (torch.tensor([4, 1]), torch.tensor([0]), torch.tensor([5, 3, 2])):
        part = margin(net, IMAGES[rows], LABELS[rows], draws(rows))
        torch.testing.assert_close(part[0], whole[0][rows], rtol=1e-6, atol=1e-9)
        assert torch.equal(part[1], whole[1][rows])


def check_refusals(margin, net):
    for value in (float("nan"), 1.2, -0.1):
        images = IMAGES.clone()
        images[2, 0, 0, 0] = value
        with pytest.raises(ValueError):
            margin(net, images, LABELS, draws())


class Linear(nn.Module):
    """The linear model of check_upper_bound as a network."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
        self.body[1].weight.data, self.body[1].bias.data = WEIGHTS.clone(), torch.zeros(3, dtype=torch.float64)


def check_lower_bound(bound, net):
    """No bound lies above what an attack finds; on a linear network it is next to the exact margin."""
    linear = Linear().body
    exact = linear_margins(WEIGHTS, torch.zeros(3), IMAGES)
    for model, upper in ((linear, exact), (net, nearest_classes(net, IMAGES, LABELS, draws(), classes=3)[0])):
        margins, found = bound(model, IMAGES, LABELS, draws())
        assert found.all() and (margins <= upper + 1e-6).all() and (margins >= 0).all()
    assert (bound(linear, IMAGES, LABELS, draws())[0] >= 0.9 * exact - 2e-3).all()


def check_functions_are_refused(bound, net):
    with pytest.raises(ValueError):
        bound(lambda images: images.flatten(1), IMAGES, LABELS, draws())


CHECKS = [
    check_shape, check_nothing_found, check_upper_bound, check_ties, check_labels_unused, check_model_state,
    check_arguments, check_repeats, check_batches, check_refusals,
]  # fmt: skip


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_every_margin_keeps_the_contract(name, check, net):
    check(component(name), net)


BOUND_CHECKS = [
    check_shape, check_lower_bound, check_functions_are_refused, check_labels_unused, check_model_state, check_arguments,
    check_repeats, check_batches, check_refusals,
]  # fmt: skip


@pytest.mark.parametrize("check", BOUND_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", BOUNDS)
def test_every_lower_bound_keeps_the_contract(name, check, net):
    check(component(name), net)


def mutant(change):
    """Return a margin whose result `change` has spoilt."""
    return lambda model, images, labels, generator: change(
        *nearest_classes(model, images, labels, generator, steps=5), model, labels
    )


def in_train_mode(model, images, labels, generator):
    found = nearest_classes(model, images, labels, generator, steps=5)
    if isinstance(model, nn.Module):
        model.eval()
    return found


MUTANTS = {
    "calls failures zero": (mutant(lambda m, f, *_: (m.nan_to_num(posinf=0.0), f)), check_nothing_found),
    "calls failures found": (mutant(lambda m, f, *_: (m, torch.ones_like(f))), check_nothing_found),
    "reports too little": (mutant(lambda m, f, *_: (0.9 * m, f)), check_upper_bound),
    "stops far from the boundary": (mutant(lambda m, f, *_: (1.2 * m, f)), check_upper_bound),
    "returns integers": (mutant(lambda m, f, *_: (m, f.long())), check_shape),
    "uses the labels": (mutant(lambda m, f, _, labels: (m * (1 + labels), f)), check_labels_unused),
    "couples the batch": (mutant(lambda m, f, *_: (m / m.mean(), f)), check_batches),
    "draws globally": (mutant(lambda m, f, *_: (m * (1 + torch.rand(1)), f)), check_repeats),
    "leaves eval mode": (in_train_mode, check_model_state),
    "bounds from above": (
        lambda *given: (1.3 * certified_linear(*given)[0], certified_linear(*given)[1]),
        check_lower_bound,
    ),
    "certifies nothing": (
        lambda *given: (0 * certified_linear(*given)[0], certified_linear(*given)[1]),
        check_lower_bound,
    ),
    "accepts anything": (lambda model, images, *_: (images.flatten(1)[:, 0], images[:, 0, 0, 0] > 2), check_refusals),
}


@pytest.mark.parametrize(("broken", "check"), MUTANTS.values(), ids=MUTANTS)
def test_the_contract_rejects_a_margin_that(broken, check, net):
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(broken, net)
