"""What an attacker does where a detector's score has no gradient, and what is typical of clean images."""

import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive.joint_pgd import joint_pgd
from touchstone.attacks.adaptive.mimicry import mimicry
from touchstone.attacks.adversary.defences import Guarded, smoothed, typical_of
from touchstone.attacks.adversary.evasion import evade, flat_scores
from touchstone.numerics.tensors import RandomStreams


def with_dead_relu(model=None):
    """A score that is the second output of a network whose ReLU never fires on images: no gradient anywhere."""
    model = model or nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    with torch.no_grad():
        model[1].weight.copy_(torch.ones(2, 4))
        model[1].bias.fill_(-5.0)
    return Guarded(model, lambda logits: logits[:, 1], ("logits",), {}, -1.0, 1.0, {})


def draws(count):
    return RandomStreams(0, "attack", torch.arange(count))


def test_where_no_relu_fires_the_score_has_no_gradient_and_softplus_has_one():
    images = torch.full((3, 1, 2, 2), 0.5)

    assert flat_scores(with_dead_relu(), images).tolist() == [True] * 3
    assert flat_scores(smoothed(with_dead_relu(), 1.0), images).tolist() == [False] * 3


def test_a_step_along_the_surrogate_lowers_a_score_that_has_no_gradient():
    images, labels = torch.full((2, 1, 2, 2), 0.5), torch.zeros(2, dtype=torch.int64)
    visited = []

    def follow(seen):
        visited.append(seen.score_gradient)
        return -seen.score_gradient

    for beta in (None, 1.0):
        evade(with_dead_relu(), images, labels, draws(2), [follow], eps=0.1, steps=1, step_size=None, restarts=1,
                     softplus_beta=beta)  # fmt: skip

    assert visited[0].abs().max() == 0
    assert (visited[-1] > 0).all()


def test_the_surrogate_of_a_network_in_train_mode_draws_nothing():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU(), nn.Dropout(0.5)).train()

    assert not any(module.training for module in smoothed(with_dead_relu(network), 1.0).model.modules())


def test_smoothing_leaves_the_defence_alone_and_refuses_a_network_without_relu_modules():
    defence = with_dead_relu()

    smoothed(defence, 10.0)

    assert isinstance(defence.model[2], nn.ReLU)
    with pytest.raises(ValueError, match="no ReLU module"):
        smoothed(Guarded(nn.Linear(2, 2), torch.sum, (), {}, 0.0, 1.0, {}), 10.0)


def test_what_is_typical_is_the_mean_of_a_class_and_of_all_where_a_class_has_no_rows():
    means, spread = typical_of("features", torch.tensor([[0.0], [2.0], [10.0]]), torch.tensor([0, 0, 1]), 3)

    assert means.tolist() == [[1.0], [10.0], [4.0]]
    assert spread.tolist() == pytest.approx([(2 / 3) ** 0.5])


def test_gradient_norms_are_compared_as_logarithms():
    means, _ = typical_of("gradient_norms", torch.tensor([[1.0], [100.0]]), torch.tensor([0, 0]), 1)

    assert means.exp().item() == pytest.approx(10.0)


def test_mimicry_refuses_a_defence_of_which_nothing_typical_is_known():
    with pytest.raises(ValueError, match="no typical values of logits"):
        mimicry(with_dead_relu(), torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64), draws(1))


def test_joint_pgd_moves_an_unflagged_image_whose_score_has_an_infinite_gradient():
    images, labels = torch.full((1, 1, 2, 2), 0.5), torch.zeros(1, dtype=torch.int64)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[0.0] * 4, [1.0] * 4]))
        model[1].bias.copy_(torch.tensor([0.0, -2.1]))
    # The score is 0 below the flag, where its square root has an infinite slope.
    defence = Guarded(model, lambda logits: (0 * logits[:, 0]).sqrt(), ("logits",), {}, 1.0, 1.0, {})

    found = joint_pgd(defence, images, labels, draws(1), eps=0.1, steps=5)

    assert found.isfinite().all() and model(found).argmax(1).tolist() == [1]


def test_a_network_that_cannot_be_copied_is_not_smoothed():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU())
    network.computed = 2 * network[1].weight  # torch copies no tensor that was computed

    with pytest.raises(ValueError, match="or cannot be copied, so none is smoothed"):
        smoothed(with_dead_relu(network), 1.0)
