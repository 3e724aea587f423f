import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive.routed_pgd import routed_pgd
from touchstone.attacks.adversary.defences import Guarded, Pipeline
from touchstone.attacks.adversary.effort import counted
from touchstone.numerics.tensors import RandomStreams


class Broken(nn.Module):
    """A translator that makes every image the darkest class: on the translated path everything is wrong by far."""

    def forward(self, images):
        return 0.01 * images


def pipeline(router=True):
    """A classifier of brightness: class 1 above .5. Its router translates images whose left half is above .56."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([-torch.ones(16), torch.ones(16)]) / 16)
        model[1].bias.copy_(torch.tensor([0.5, -0.5]))
    left = lambda images: images[:, :, :, :2].mean((1, 2, 3))  # noqa: E731
    guard = Guarded(model, left, ("images",), {}, 0.56, 0.1, {})
    return Pipeline(model, [Broken()], guard if router else None)


IMAGES = 0.51 + 0.04 * torch.rand((20, 1, 4, 4), generator=torch.Generator().manual_seed(0))
LABELS = torch.ones(20, dtype=torch.int64)


def rates(objective):
    defence = pipeline()
    draws = RandomStreams(0, "attack", torch.arange(20))
    found = routed_pgd(defence, IMAGES, LABELS, draws, eps=0.06, steps=20, objective=objective)
    with torch.no_grad():
        paths = defence.paths(found)
    wrong = paths.logits.argmax(1) != LABELS
    lead = paths.logits[:, 0] - paths.logits[:, 1]
    return int(wrong.sum()), int((wrong & ~paths.routed).sum()), float(lead.mean())


def test_the_worst_point_for_accuracy_is_not_the_one_that_gets_past_the_router():
    accuracy, evasion = rates("accuracy"), rates("evasion")

    assert accuracy[0] == evasion[0] == 20  # all can be made wrong on either path
    assert accuracy[1] < 5 and evasion[1] == 20  # the router sees the points of largest margin
    assert accuracy[2] > evasion[2]


def test_without_a_router_there_is_none_to_evade():
    draws = RandomStreams(0, "attack", torch.arange(20))

    with pytest.raises(ValueError, match="no router"):
        routed_pgd(pipeline(router=False), IMAGES, LABELS, draws, objective="evasion")


@pytest.mark.parametrize("router", [True, False])
def test_the_passes_on_single_paths_and_on_copies_are_counted(router):
    """An attack on one path calls classifier, translators and router by themselves, never the pipeline."""
    defence, draws, passes = pipeline(router), RandomStreams(0, "attack", torch.arange(20)), []
    defence.model.register_forward_pre_hook(lambda _, arguments: passes.append(len(arguments[0])))

    with counted(defence) as effort:
        routed_pgd(defence, IMAGES, LABELS, draws, eps=0.06, steps=5, queries=10)

    assert effort.forward == sum(passes)
    assert effort.gradient > 5 * len(IMAGES) * (2 if router else 1)  # 5 steps on each path; Auto-PGD stops at success


class Grainy(nn.Module):
    """Wrong about grainy images, and right about all plain ones, the less surely the brighter they are."""

    def forward(self, images):
        grain, brightness = images.flatten(1).std(1), images.flatten(1).mean(1)
        wrong, unsure = 0.01 + 1.22 * (grain > 0.1), 0.9 * (10 * (brightness - 0.5)).exp()
        return torch.stack([torch.ones_like(wrong), wrong, unsure, unsure], 1).log()


class Confident(nn.Module):
    """So sure of class 0 that float32 rounds its probability to 1; it errs if the image is brighter by .1."""

    def forward(self, images):
        brightness = images.flatten(1).mean(1)
        return torch.stack([60 - 620 * (brightness - 0.5), -brightness, -brightness], 1)


@pytest.mark.parametrize(("network", "level", "eps"), [(Grainy(), 0.2, 0.3), (Confident(), 0.5, 0.1)])
def test_a_wrong_point_is_kept_whatever_its_cross_entropy_and_reached_whatever_its_gradient(network, level, eps):
    images, labels = torch.full((10, 1, 8, 8), level), torch.zeros(10, dtype=torch.int64)
    defence, draws = Pipeline(network, [nn.Identity()], None), RandomStreams(0, "attack", torch.arange(10))

    points = routed_pgd(defence, images, labels, draws, eps=eps, steps=10, queries=0)

    assert (defence(points).argmax(1) != labels).all()
