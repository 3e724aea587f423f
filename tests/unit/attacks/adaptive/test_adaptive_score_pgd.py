"""The attack on a detector's score, against answers that are known in closed form."""

import pytest
import torch
from torch import nn

from touchstone.attacks.adaptive.score_pgd import score_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.effort import counted
from touchstone.detectors.energy import energy
from touchstone.detectors.mahalanobis import mahalanobis
from touchstone.detectors.max_logit import max_logit
from touchstone.detectors.msp import msp
from touchstone.detectors.odin import odin
from touchstone.numerics.tensors import RandomStreams

torch.set_num_threads(1)

WEIGHTS = torch.tensor([0.5, -1.0, 2.0, 0.25])
NORM = float(WEIGHTS.abs().sum())


def linear(bias=0.0):
    """Two classes whose logits differ by w^T (x - 1/2) + bias, behind the double sum of a detector's score."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([torch.zeros(4), WEIGHTS]))
        model[1].bias.copy_(torch.tensor([0.0, bias - 0.5 * float(WEIGHTS.sum())]))
    return model


def guarded(model, score, data=("logits",), state=None):
    return Guarded(model, score, data, state or {}, 0.0, 1.0, {})


def images_around_the_middle(count=20):
    return 0.4 + 0.2 * torch.rand((count, 1, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def attacked(defence, images, in_distribution, **settings):
    flags = torch.full((len(images),), in_distribution)
    return score_pgd(defence, images, flags, RandomStreams(0, "attack", torch.arange(len(images))), **settings)


def gap(model, images):
    logits = model(images).detach()
    return (logits[:, 1] - logits[:, 0]).abs()


@pytest.mark.parametrize("eps", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("bias", [0.0, 0.8])
def test_the_gap_of_a_two_class_linear_model_moves_by_eps_times_the_l1_norm(eps, bias):
    model, images = linear(bias), images_around_the_middle()
    defence, before = guarded(model, msp), gap(linear(bias), images_around_the_middle())

    looks_ood = attacked(defence, images, True, eps=eps, steps=80, restarts=1)
    looks_id = attacked(defence, images, False, eps=eps, restarts=1)

    shrunk, grown = (before - eps * NORM).clamp(min=0), before + eps * NORM
    last_step = 5 * eps / 80**2  # the tie is passed within half of it; the sigmoid's slope there is 1/4
    torch.testing.assert_close(defence.read(looks_ood)[1], -shrunk.sigmoid(), atol=last_step * NORM / 8 + 1e-9, rtol=0)
    torch.testing.assert_close(gap(model, looks_id), grown, atol=1e-4, rtol=0)


def test_steps_of_one_length_would_only_circle_the_tie():
    model, images = linear(), images_around_the_middle()

    found = attacked(guarded(model, msp), images, True, eps=0.3)

    assert float(gap(model, found).max()) < 0.01 * 0.3 * NORM


@pytest.mark.parametrize("in_distribution", [True, False])
@pytest.mark.parametrize("score", [msp, energy, max_logit])
def test_no_score_gets_better_for_the_defender(score, in_distribution):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3)).double()
    defence, images = guarded(model, score), images_around_the_middle()

    found = attacked(defence, images, in_distribution, eps=0.1, steps=5, restarts=2)

    change = (defence.read(found)[1] - defence.read(images)[1]).detach()
    assert bool((change >= 0).all() if in_distribution else (change <= 0).all())
    assert float(change.abs().min()) > 0


def coarse(logits):
    """A score without a gradient, which runs towards classes can still move."""
    return msp((logits * 4).round())


@pytest.mark.parametrize("score", [msp, coarse])
@pytest.mark.parametrize("every_class", [False, True])
def test_one_call_attacks_both_sides_as_two_calls_do(score, every_class):
    """What an image gets must not depend on which other images are in its batch."""
    defence, images = guarded(linear(0.3), score), images_around_the_middle(6)
    flags, settings = torch.tensor([True, False] * 3), {"eps": 0.1, "restarts": 2, "every_class": every_class}

    both = score_pgd(defence, images, flags, RandomStreams(0, "attack", torch.arange(6)), **settings)

    torch.testing.assert_close(both[flags], attacked(defence, images, True, **settings)[flags])
    torch.testing.assert_close(both[~flags], attacked(defence, images, False, **settings)[~flags])


def test_the_distance_to_one_gaussian_is_moved_along_every_axis():
    """Identity covariance, one mean at the middle: the farthest point of the ball, and the nearest, are coordinate-wise."""
    model, images = linear(), images_around_the_middle()
    middle = torch.full((1, 4), 0.5, dtype=torch.float64)
    state = {"means": middle, "whitening": torch.eye(4, dtype=torch.float64)}
    defence = guarded(model, mahalanobis, ("features", "state"), state)
    away = images.flatten(1) - 0.5

    far = defence.read(attacked(defence, images, True, eps=0.05))[1]
    near = defence.read(attacked(defence, images, False, eps=0.05))[1]

    torch.testing.assert_close(far, 0.5 * (away.abs() + 0.05).square().sum(1), atol=1e-6, rtol=0)
    torch.testing.assert_close(near, 0.5 * (away.abs() - 0.05).clamp(min=0).square().sum(1), atol=1e-4, rtol=0)


def test_odin_is_attacked_through_its_own_step():
    model, images = linear(0.3), images_around_the_middle()
    defence = guarded(model, lambda m, x: odin(m, x, temperature=1.0, magnitude=0.05), ("model", "images"))
    before = gap(model, images)

    found = attacked(defence, images, False, eps=0.1)

    grown = before + (0.1 + 0.05) * NORM  # ODIN's step adds its own magnitude
    torch.testing.assert_close(defence.read(found)[1], -grown.sigmoid(), atol=1e-6, rtol=0)


def test_a_run_towards_every_class_finds_what_the_score_alone_cannot_see():
    """Where the softmax is flat to the last bit its gradient is 0; the margin of a class still points somewhere."""
    defence, images = guarded(linear(), coarse), images_around_the_middle()

    alone = defence.read(attacked(defence, images, False, eps=0.2))[1]
    with_classes = defence.read(attacked(defence, images, False, eps=0.2, every_class=True))[1]

    assert bool((with_classes <= alone).all())
    assert float((with_classes < alone).float().mean()) > 0.9


def test_eps_zero_leaves_every_image_as_it_is():
    defence, images = guarded(linear(), msp), images_around_the_middle()

    assert torch.equal(attacked(defence, images, True, eps=0.0), images)
    assert torch.equal(attacked(defence, images, False, eps=0.0, every_class=True), images)


DEAD = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)


def switched_off(far=3.0):
    """Two units that are off where images are flat, behind an output that is 0 where both are.

    The first is on at the striped images of class 0, and raises their logit; the second would be on only far outside
    any ball, and its weights, which are larger and of the opposite sign, are all that a leak of gradients shows.
    """
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.ReLU(), nn.Linear(2, 2)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([DEAD, -far * DEAD]))
        model[1].bias.copy_(torch.tensor([-0.1, -10.0], dtype=torch.float64))
        model[3].weight.copy_(torch.tensor([[4.0, 4.0], [0.0, 0.0]]))
        model[3].bias.zero_()
    stripes = torch.tensor([[0.9, 0.1, 0.9, 0.1], [0.5, 0.5, 0.5, 0.5]], dtype=torch.float64)
    typical = {"images": (stripes, torch.ones(4, dtype=torch.float64))}
    return Guarded(model, energy, ("logits",), {}, 0.0, 1.0, {}, typical=typical)


@pytest.mark.parametrize("eps", [0.06, 0.1, 0.3])
def test_units_that_no_gradient_switches_on_are_switched_on_by_imitating_what_is_known(eps):
    """Piecewise linear, so known on paper: the first unit reaches w^T x + b + eps ||w||_1 and no more."""
    defence = switched_off()
    images = 0.5 + 0.005 * images_around_the_middle()
    unit = (images.flatten(1) @ DEAD - 0.1 + eps * 4).clamp(min=0)
    assert float(unit.min()) > 0

    plain = attacked(defence, images, False, eps=eps, restarts=1, imitations=0)
    found = attacked(defence, images, False, eps=eps, restarts=1)

    assert torch.equal(defence.read(plain)[1], defence.read(images)[1])
    torch.testing.assert_close(defence.read(found)[1], -(1 + (4 * unit).exp()).log(), atol=1e-9, rtol=0)


def gained_by_imitating(seed, in_distribution):
    """Return, per image, how much farther the score of a random network gets, (N,)."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)
    ).double()
    chance = torch.Generator().manual_seed(seed)
    means = torch.rand((3, 4), generator=chance, dtype=torch.float64)
    defence = guarded(model, msp)
    defence.typical["images"] = (means, torch.ones(4, dtype=torch.float64))
    images = torch.rand((30, 1, 2, 2), generator=chance, dtype=torch.float64)
    settings = {"eps": 0.2, "steps": 4, "restarts": 2}
    plain = attacked(defence, images, in_distribution, imitations=0, **settings)
    found = attacked(defence, images, in_distribution, imitations=4, **settings)
    gained = (defence.read(found)[1] - defence.read(plain)[1]).detach()
    return gained if in_distribution else -gained


@pytest.mark.parametrize("in_distribution", [True, False])
def test_with_imitations_it_is_never_weaker_than_without(in_distribution):
    gained = torch.stack([gained_by_imitating(seed, in_distribution) for seed in range(8)])

    assert bool((gained >= 0).all())
    assert bool((gained > 0).any())


def test_without_typical_images_plain_greys_are_imitated():
    """A unit that is on where images are bright, and one that only a leak of gradients sees."""
    defence = switched_off()
    with torch.no_grad():
        defence.model[1].weight.copy_(torch.stack([torch.ones(4), -3 * torch.ones(4)]))
        defence.model[1].bias.copy_(torch.tensor([-2.2, -10.0], dtype=torch.float64))
    defence.typical.clear()
    images = 0.5 + 0.005 * images_around_the_middle()

    found = attacked(defence, images, False, eps=0.1, restarts=1)

    unit = images.sum((1, 2, 3)) - 2.2 + 0.4
    torch.testing.assert_close(defence.read(found)[1], -(1 + (4 * unit).exp()).log(), atol=1e-9, rtol=0)


def test_no_more_starts_are_made_than_there_are():
    defence, images = switched_off(), images_around_the_middle(3)
    prototypes = 2 + 3

    most = attacked(defence, images, False, eps=0.1, imitations=prototypes)

    assert torch.equal(attacked(defence, images, False, eps=0.1, imitations=100), most)


def passes(defence, images):
    """Return how many forward passes and how many gradients an attack towards every class takes."""
    with counted(defence.model) as effort:
        attacked(defence, images, False, eps=0.02, steps=5, restarts=1, imitations=0, every_class=True)
    return effort.forward, effort.gradient


def test_a_gradient_takes_one_pass_and_only_flat_images_take_two():
    defence = switched_off()
    stripes = torch.tensor([0.9, 0.1, 0.9, 0.1], dtype=torch.float64).view(1, 1, 2, 2)
    steep, flat = stripes.expand(6, 1, 2, 2), torch.full((4, 1, 2, 2), 0.5, dtype=torch.float64)
    gradients = (1 + 2) * 5  # the score and two classes
    looks = 1 + 3  # at the images and at the end of each run; one image more shows how many classes there are

    assert passes(defence, steep) == (6 * (gradients + looks) + 1, 6 * gradients)
    assert passes(defence, flat) == (4 * (2 * gradients + looks) + 1, 4 * 2 * gradients)
    assert passes(defence, torch.cat([steep, flat])) == (
        6 * (gradients + looks) + 4 * (2 * gradients + looks) + 1,
        6 * gradients + 4 * 2 * gradients,
    )
