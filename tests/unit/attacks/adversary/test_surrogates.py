"""Surrogate gradients: what is read stays exact, and only the gradient is another one."""

from dataclasses import replace

import torch
from torch import nn

from touchstone.attacks.adversary.defences import Guarded, Pipeline, Straight, with_softplus
from touchstone.attacks.adversary.expectation import Expected
from touchstone.attacks.adversary.lowest_scores import rank_at
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.surrogates import Followed, search_ranks, smooth_guard, smooth_pipeline
from touchstone.numerics.tensors import RandomStreams


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3)).eval()


def guarded(model=None):
    return Guarded(model or network(), lambda logits: -logits.logsumexp(1), ("logits",), {}, -1.0, 1.0, {})


IMAGES = torch.rand((8, 1, 4, 4), generator=torch.Generator().manual_seed(1))


def test_logits_and_scores_are_exact_and_the_gradient_is_that_of_the_surrogate():
    exact = guarded()
    smooth = smooth_guard(exact)
    points = IMAGES.clone().requires_grad_()

    logits, scores = Followed(exact, smooth).read(points)
    gradients = torch.autograd.grad(logits.sum() + scores.sum(), points)[0]

    torch.testing.assert_close((logits, scores), exact.read(IMAGES))
    near = IMAGES.clone().requires_grad_()
    expected = torch.autograd.grad(sum(part.sum() for part in smooth.read(near)), near)[0]
    torch.testing.assert_close(gradients, expected)


def test_what_is_read_stays_exact_however_far_the_surrogate_is_off():
    """Added in the other order, a surrogate of a million would leave a logit of 0.1 with an error of 0.06."""
    exact, points = guarded(), IMAGES.clone().requires_grad_()
    far = replace(exact, model=nn.Sequential(network(), Shifted()))

    with torch.no_grad():
        logits, scores = exact.read(IMAGES)

    read = Followed(exact, far).read(points)
    assert torch.equal(read[0], logits) and torch.equal(read[1], scores)
    assert torch.equal(Expected(exact.model, 1, far.model)(points), logits)
    assert torch.equal(Straight(lambda images: images * 1e-4)(points), IMAGES * 1e-4)


class Shifted(nn.Module):
    def forward(self, logits):
        return logits + 1e6


def test_a_shared_relu_is_replaced_wherever_it_is():
    relu = nn.ReLU()
    shared = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), relu, nn.Linear(12, 12), relu, nn.Linear(12, 3))

    assert not any(isinstance(module, nn.ReLU) for module in with_softplus(shared).modules())


def test_a_dead_layer_passes_a_gradient_with_softplus():
    model = network()
    with torch.no_grad():
        model[1].bias.fill_(-4)  # no unit is ever on
    points = IMAGES.clone().requires_grad_()
    dead = torch.autograd.grad(model(points)[:, 0].sum(), points)[0]
    alive = torch.autograd.grad(with_softplus(model)(points)[:, 0].sum(), points)[0]

    assert not dead.any() and alive.flatten(1).abs().sum(1).all()


def test_the_copy_is_frozen_and_the_network_unchanged():
    model = network()
    smooth = with_softplus(model)

    assert not any(parameter.requires_grad for parameter in smooth.parameters())
    assert all(parameter.requires_grad for parameter in model.parameters()) and isinstance(model[2], nn.ReLU)
    assert with_softplus(nn.Sequential(nn.Flatten(), nn.Linear(16, 3))) is None


def test_a_smooth_pipeline_keeps_shared_parts_shared():
    model = network()
    translator = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU())

    for router in (guarded(model), guarded(network(3))):
        smooth = smooth_pipeline(Pipeline(model, [translator], router))

        assert not any(isinstance(module, nn.ReLU) for module in [*smooth.modules(), *smooth.router.model.modules()])
        assert (smooth.router.model is smooth.model) == (router.model is model)
        assert smooth.router.threshold == router.threshold


def test_squares_find_what_has_no_gradient():
    """The score counts bright pixels; two fewer than the image has are allowed."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].bias.copy_(torch.tensor([0.0, 1.0]))  # always wrong
    count = Guarded(model, lambda images: (images > 0.5).float().sum((1, 2, 3)), ("images",), {}, 14.5, 1.0, {})
    images, labels = torch.full((4, 1, 4, 4), 0.52), torch.zeros(4, dtype=torch.int64)

    streams = RandomStreams(0, "attack", torch.arange(4))
    points = search_ranks(count, Ball(images, 0.1), labels, streams, images, queries=100)

    assert (count.read(images)[1] == 16).all() and (count.read(points)[1] <= 14).all()
    assert (points - images).abs().max() <= 0.1 + 1e-6


def searched(score, threshold, wrong=0):
    """Return the images, the points that squares find, and the ranks of all three: images, points, and points as stored."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    images = torch.randint(60, 196, (100, 1, 8, 8)) / 255
    labels, ball = model(images).argmax(1), Ball(images, 0.05)
    labels[:wrong] = (labels[:wrong] + 1) % 3
    defence = Guarded(model, score, ("images",), {}, threshold, 1.0, {})
    points = search_ranks(defence, ball, labels, RandomStreams(0, "attack", torch.arange(100)), images, queries=200)
    return images, points, *(rank_at(defence, some, labels) for some in (images, points, ball.stored(points)))


def test_what_squares_find_still_gets_past_when_it_is_stored():
    """The lowest score is near the image, so a point that is wrong by a hair beats one that is wrong when rounded, too."""
    features = torch.randn(64, 16, generator=torch.Generator().manual_seed(1)) / 8

    _, _, _, found, stored = searched(lambda images: ((images - 0.5).flatten(1) @ features).square().sum(1), 0.5)

    assert (found >= 1).float().mean() > 0.6
    assert (stored >= 1).float().mean() > 0.6


def test_squares_leave_images_that_no_score_can_improve_and_search_the_others_by_their_own_labels():
    def score(images):
        first = images[:, 0, 0, 0]
        return torch.where(first > 0.5, -torch.inf, first)

    images, points, before, _, after = searched(score, 0.2, wrong=50)
    finished = before == torch.inf

    assert 0 < finished.sum() < 50
    assert torch.equal(points[finished], images[finished])
    assert (after[~finished] >= before[~finished]).all() and (after[50:] > 0).float().mean() > 0.5
