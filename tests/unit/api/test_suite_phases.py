"""`evaluate` splits the attack suite in two for its checks; the images are those of the whole suite."""

import pytest
import torch

from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.attack_suite import attack_suite
from touchstone.numerics.tensors import RandomStreams

SETTINGS = {"steps": 10, "restarts": 5, "queries": 90}


class Rounded(torch.nn.Module):
    """A network without gradients; most of its images stay far from the boundary until Square moves them."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return (10 * self.model((images * 8).round() / 8)).round()


def whole(model, images, labels, **settings):
    return attack_suite(model, images, labels, RandomStreams(0, "attack", torch.arange(len(images))), **settings)


@pytest.mark.parametrize("eps", [0.1, 0.25, 0.3])
@pytest.mark.parametrize("hide", [False, True])
def test_the_attacked_images_are_those_of_the_suite_in_one_call(world, hide, eps):
    model, (images, labels), _ = world
    model = Rounded(model).eval() if hide else model

    found = evaluate(model, images, labels, eps=eps, **SETTINGS)

    expected = whole(model, images, labels, eps=eps, **SETTINGS)
    only_controls = (model(found.attacked).argmax(1) != labels) & (model(expected).argmax(1) == labels)
    assert torch.equal(found.attacked[~only_controls], expected[~only_controls])
    assert only_controls.sum() <= 2 * hide
    if hide:  # Square has moved some images
        assert not torch.equal(found.attacked, whole(model, images, labels, eps=eps, **SETTINGS | {"queries": 0}))


def test_gradients_are_followed_once(world):
    model, (images, labels), _ = world
    with counted(model) as alone:
        whole(model, images, labels, eps=0.1, **SETTINGS)

    with counted(model) as all_attacks:
        evaluate(model, images, labels, eps=0.1, **SETTINGS)

    controls = 1 + 1 + SETTINGS["steps"]  # FGSM, and PGD at a large eps with its start
    assert all_attacks.gradient - alone.gradient <= controls * len(images)
