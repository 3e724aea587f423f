import pytest
import torch
from torch.nn import functional

from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.apgd import apgd
from touchstone.attacks.pgd import pgd


def run(victim, **settings):
    return apgd(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def test_apgd_reaches_the_worst_logistic_loss(binary):
    victim, weights = binary
    score = (2 * victim.labels - 1) * victim.model(victim.images)[:, 1]

    found = run(victim, eps=0.1, steps=30)

    torch.testing.assert_close(
        victim.loss(found), functional.softplus(0.1 * weights.abs().sum() - score), rtol=0, atol=1e-6
    )


def test_l2_apgd_finds_the_exact_maximiser_of_a_linear_model(binary):
    victim, weights = binary

    found = run(victim, eps=0.2, norm="l2")

    expected = victim.images.flatten(1) - 0.2 * (2 * victim.labels - 1)[:, None] * weights / weights.norm()
    torch.testing.assert_close(found.flatten(1), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_apgd_reaches_at_least_the_mean_loss_of_pgd_with_as_many_steps(victim, norm):
    eps = 0.1 if norm == "linf" else 0.7
    other = pgd(victim.model, victim.images, victim.labels, victim.draws(), eps=eps, steps=100, norm=norm)

    found = run(victim, eps=eps, norm=norm)

    assert victim.loss(found).mean() >= victim.loss(other).mean() - 0.005
    assert (victim.loss(found) >= victim.loss(victim.images)).all()


def test_the_dlr_loss_moves_images_whose_cross_entropy_gradient_is_zero(linear):
    steep = linear._replace(model=lambda x: 1e6 * linear.model(x))
    right = linear.labels == steep.model(linear.images).argmax(1)

    masked, found = [run(steep, eps=0.1, steps=20, loss=loss) for loss in ("cross_entropy", "dlr")]

    before, blind, after = [
        margin_loss(linear.model(images), linear.labels)[right] for images in (linear.images, masked, found)
    ]
    assert right.any() and (blind < before + 0.2).all()  # no better than a random start
    assert (after > before + 0.3).double().mean() > 0.7


def test_dlr_needs_three_classes_and_four_with_a_target(binary, linear):
    with pytest.raises(ValueError, match="needs 3 classes here, the model has 2"):
        run(binary[0], loss="dlr")

    three = linear._replace(model=lambda x: linear.model(x)[:, :3], labels=linear.labels % 3)
    with pytest.raises(ValueError, match="needs 4 classes here, the model has 3"):
        run(three, loss="dlr", target="each")


def test_targeted_dlr_towards_each_class_is_the_strongest(victim):
    part = victim._replace(images=victim.images[:40], labels=victim.labels[:40])

    each, plain = [
        int(part.still_right(run(part, eps=0.1, steps=20, loss="dlr", target=t)).sum()) for t in ("each", "none")
    ]

    assert each <= plain


def test_stopping_at_success_saves_gradients_and_never_leaves_more_images_right(victim):
    right, gradients = [], []
    for stop in (False, True):
        with counted(victim.model) as effort:
            attacked = run(victim, eps=0.1, steps=30, restarts=2, stop_on_success=stop)
        right.append(int(victim.still_right(attacked).sum()))
        gradients.append(effort.gradient)

    assert right[1] <= right[0] and gradients[1] < 0.85 * gradients[0]
