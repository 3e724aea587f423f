"""Against torchattacks' FAB and foolbox's FMN on the same network and images: never looser on average. And dtypes."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from touchstone.attacks.margins.fab import fab
from touchstone.attacks.margins.minimal_pgd import minimal_pgd
from touchstone.attacks.margins.nearest_classes import nearest_classes


def margins_of(model, images, found, norm="linf"):
    with torch.no_grad():
        changed = model(found).argmax(1) != model(images).argmax(1)
    change = (found - images).flatten(1)
    size = change.abs().amax(1) if norm == "linf" else change.norm(dim=1)
    return torch.where(changed, size, torch.inf)


def test_both_margins_are_not_looser_than_fab_of_torchattacks(cnn, images, draws):
    torchattacks = pytest.importorskip("torchattacks")
    labels = cnn(images).argmax(1)
    with torch.random.fork_rng():
        attack = torchattacks.FAB(cnn, norm="Linf", eps=1.0, steps=20, n_classes=10)
        theirs = margins_of(cnn, images, attack(images, labels))

    own = fab(cnn, images, labels, draws, steps=20)[0]
    near = nearest_classes(cnn, images, labels, draws)[0]

    assert (own / theirs).mean() < 1.005
    assert (near / theirs).mean() < 1.0 and (near / theirs).max() < 1.02


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_nearest_classes_is_not_looser_than_fmn_of_foolbox(cnn, images, draws, norm):
    foolbox = pytest.importorskip("foolbox")
    attack = foolbox.attacks.LInfFMNAttack if norm == "linf" else foolbox.attacks.L2FMNAttack
    labels = cnn(images).argmax(1)
    model = foolbox.PyTorchModel(cnn, bounds=(0, 1))
    theirs = margins_of(cnn, images, attack(steps=60)(model, images, labels, epsilons=None)[0], norm)

    near = nearest_classes(cnn, images, labels, draws, norm=norm)[0]

    assert (near / theirs).mean() < 1.0 and (near / theirs).max() < 1.05


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "method", [partial(fab, steps=4), partial(minimal_pgd, rounds=2, steps=4), partial(nearest_classes, steps=4)]
)
def test_logits_may_have_another_dtype_than_the_images(linear_net, images, draws, method, norm):
    expected, _ = method(linear_net, images, None, draws.take(torch.arange(100)), norm=norm)

    margins, _ = method(lambda points: linear_net(points).double(), images, None, draws, norm=norm)

    assert margins.dtype == images.dtype
    torch.testing.assert_close(margins, expected, rtol=0.1, atol=1e-2)


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("method", [fab, partial(minimal_pgd, rounds=8), nearest_classes])
def test_a_network_of_small_logits_has_the_margins_of_the_same_network_of_large_ones(cnn, images, draws, method, norm):
    """Networks whose outputs are probabilities have leads far below 1."""
    large, _ = method(cnn, images[:20], None, draws.take(torch.arange(20)), norm=norm)

    small, _ = method(lambda points: 1e-3 * cnn(points), images[:20], None, draws.take(torch.arange(20)), norm=norm)

    ratios = small / large
    assert 0.995 < ratios.mean() < 1.005 and ratios.max() < 1.03
