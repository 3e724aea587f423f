import pytest
import torch
from torch.nn import functional

from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd


def signed(labels):
    return 2 * labels.double() - 1


def test_fgsm_on_logistic_regression_is_minus_eps_y_sign_w(binary):
    victim, weights = binary

    found = fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)

    expected = -0.1 * signed(victim.labels)[:, None] * weights.sign()
    torch.testing.assert_close(found.flatten(1) - victim.images.flatten(1), expected, rtol=0, atol=1e-12)


def test_fgsm_reaches_the_worst_logistic_loss_of_both_classes(binary):
    victim, weights = binary
    score = signed(victim.labels) * victim.model(victim.images)[:, 1]
    worst = functional.softplus(0.1 * weights.abs().sum() - score)  # eps ||w||_1 inside, for y = -1 too

    found = fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)

    torch.testing.assert_close(victim.loss(found), worst, rtol=0, atol=1e-6)
    exact = (score > 0.1 * weights.abs().sum()).double().mean()
    assert victim.still_right(found).double().mean() == exact


def test_fgsm_follows_the_closed_form_gradient_of_softmax_regression(linear):
    layer = linear.model[1]
    probabilities = linear.model(linear.images).softmax(1)
    gradient = (probabilities - functional.one_hot(linear.labels, 4)) @ layer.weight  # W^T (p - onehot)

    found = fgsm(linear.model, linear.images, linear.labels, linear.draws(), eps=0.05)

    torch.testing.assert_close(
        found.flatten(1), (linear.images.flatten(1) + 0.05 * gradient.sign()).detach(), rtol=0, atol=1e-12
    )


def test_fgsm_moves_every_pixel_with_a_gradient_by_exactly_eps_and_leaves_the_others(binary):
    victim, weights = binary

    moved = (fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1) - victim.images).abs().flatten(1)

    torch.testing.assert_close(moved, 0.1 * (weights != 0).double().expand_as(moved), rtol=0, atol=1e-12)


def test_targeted_and_untargeted_fgsm_are_negatives_with_two_classes(binary):
    victim, _ = binary
    run = lambda target, labels: fgsm(victim.model, victim.images, labels, victim.draws(), eps=0.1, target=target)  # noqa: E731

    untargeted = run("none", victim.labels)
    towards_label = run("next", 1 - victim.labels)  # with two classes the next class of the other one is the label

    torch.testing.assert_close(untargeted - victim.images, victim.images - towards_label)


def test_two_classes_have_one_target_which_is_untargeted_fgsm(binary):
    victim, _ = binary

    untargeted, *targeted = [
        fgsm(victim.model, victim.images, victim.labels, victim.draws(), target=target)
        for target in ("none", "least_likely", "next", "each", "random")
    ]

    for found in targeted:
        assert torch.equal(found, untargeted)


@pytest.mark.parametrize("eps", [0.05, 0.1, 0.3])
def test_fgsm_is_one_pgd_step_of_size_eps_without_random_start(linear, eps):
    single = fgsm(linear.model, linear.images, linear.labels, linear.draws(), eps=eps)

    stepped = pgd(
        linear.model, linear.images, linear.labels, linear.draws(), eps=eps, steps=1, step_size=eps, random_start=False
    )

    assert torch.equal(single, stepped)


def test_fgsm_is_one_pgd_step_on_a_network_wherever_the_step_raises_the_loss(victim):
    single = fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)
    stepped = pgd(
        victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=1, step_size=0.1, random_start=False
    )

    raised = victim.loss(single) > victim.loss(victim.images)

    assert raised.double().mean() > 0.9
    assert torch.equal(single[raised], stepped[raised])
    assert torch.equal(stepped[~raised], victim.images[~raised])


def test_fgsm_raises_the_loss_of_nearly_every_image_at_a_small_eps(victim):
    found = fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.01)

    assert (victim.loss(found) >= victim.loss(victim.images)).double().mean() >= 0.95


def test_fgsm_leaves_the_unit_range_only_without_clipping(victim):
    clipped, free = [
        fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.25, clip=clip) for clip in (True, False)
    ]

    assert clipped.min() == 0 and clipped.max() == 1
    assert free.min() < -0.2 and free.max() > 1.2
    torch.testing.assert_close(free.clamp(0, 1), clipped, rtol=0, atol=1e-6)


def test_fgsm_towards_each_class_fools_at_least_as_often_as_any_one_target(victim):
    right = {
        target: victim.still_right(
            fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.15, target=target)
        )
        for target in ("least_likely", "next", "random", "each")
    }

    for target in ("least_likely", "next", "random"):
        assert not (right["each"] & ~right[target]).any()
