import pytest
import torch
from torch.nn import functional

from touchstone.attacks.adversary.goals import Goal, least_likely
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.bim import bim
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.numerics.tensors import RandomStreams


def run(victim, seed=0, **settings):
    return pgd(victim.model, victim.images, victim.labels, victim.draws(seed), **settings)


@pytest.mark.parametrize("eps", [0.01, 0.1])
def test_pgd_finds_the_exact_maximiser_of_a_linear_model(eps):
    weights = torch.tensor([[0.0, 0.0, 0.0], [1.0, -2.0, 0.5]])
    images, labels = torch.full((4, 1, 1, 3), 0.5), torch.zeros(4, dtype=torch.int64)

    found = pgd(
        lambda x: x.flatten(1) @ weights.T, images, labels, RandomStreams(0, "attack", torch.arange(4)), eps=eps
    )

    torch.testing.assert_close(found, images + eps * weights[1].sign().view(1, 1, 3))


def test_pgd_reaches_the_worst_logistic_loss_within_1e_6(binary):
    victim, weights = binary
    score = (2 * victim.labels - 1) * victim.model(victim.images)[:, 1]

    found = run(victim, eps=0.1)

    torch.testing.assert_close(
        victim.loss(found), functional.softplus(0.1 * weights.abs().sum() - score), rtol=0, atol=1e-6
    )


def test_l2_pgd_finds_the_exact_maximiser_of_a_linear_model(binary):
    victim, weights = binary
    sign = (2 * victim.labels - 1).double()[:, None]

    found = run(victim, eps=0.2, norm="l2", step_size=0.1)

    expected = victim.images.flatten(1) - 0.2 * sign * weights / weights.norm()
    torch.testing.assert_close(found.flatten(1), expected, rtol=0, atol=1e-4)


def test_l2_pgd_stays_in_the_ball_and_beats_its_start(victim):
    attacked = run(victim, eps=0.8, norm="l2", steps=10)

    assert ((attacked - victim.images).flatten(1).norm(dim=1) <= 0.8 + 1e-6).all()
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert (victim.loss(attacked) > victim.loss(victim.images)).all()


@pytest.mark.parametrize("loss", ["cross_entropy", "margin"])
def test_pgd_is_at_least_as_strong_as_fgsm_and_never_below_the_clean_loss(victim, loss):
    single = fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1)

    found = run(victim, eps=0.1, loss=loss)

    assert victim.still_right(found).sum() <= victim.still_right(single).sum()
    assert (victim.loss(found) >= victim.loss(victim.images)).all()


def test_more_restarts_never_lower_the_margin_loss(victim):
    one, three = [
        margin_loss(victim.model(run(victim, eps=0.1, steps=5, restarts=restarts)), victim.labels)
        for restarts in (1, 3)
    ]

    assert (three >= one - 1e-6).all()
    assert (three > one + 1e-6).any()


def test_the_wrong_point_is_kept_and_not_a_right_one_of_higher_cross_entropy():
    def logits(images):
        """Class 0 is right, but for one pixel between .35 and .45; beyond, eight classes together raise its loss."""
        x = images.flatten(1)
        rival = torch.minimum(6 * x - 2, 0.45 - x)
        return torch.cat([0 * x, rival, *([-0.2 - 8 * (0.6 - x).clamp(min=0)] * 8)], 1)

    image, label = torch.full((1, 1, 1, 1), 0.1, dtype=torch.float64), torch.zeros(1, dtype=torch.int64)
    settings = {"eps": 0.5, "steps": 20, "step_size": 0.04}
    last = torch.full_like(image, 0.6)
    assert functional.cross_entropy(logits(last), label) > functional.cross_entropy(logits(last - 0.2), label)

    for found in (
        pgd(logits, image, label, RandomStreams(0, "attack", torch.arange(1)), random_start=False, **settings),
        bim(logits, image, label, RandomStreams(0, "attack", torch.arange(1)), **settings),
    ):
        assert margin_loss(logits(found), label) > 0
        assert 0.35 < found.item() < 0.45


def test_a_larger_eps_never_leaves_more_images_right(victim):
    right = [int(victim.still_right(run(victim, eps=eps, steps=20)).sum()) for eps in (0.0, 0.05, 0.1, 0.2, 0.5)]

    assert right == sorted(right, reverse=True)
    assert right[-1] == 0  # at .5 any image reaches mid-grey: nothing is masked


def test_twice_the_steps_change_success_by_at_most_one_image_in_a_hundred(victim):
    once, twice = [int(victim.still_right(run(victim, eps=0.1, steps=steps)).sum()) for steps in (40, 80)]

    assert abs(once - twice) <= 1


def test_stop_on_success_agrees_with_the_full_attack_on_robust_accuracy(victim):
    full, stopped = [victim.still_right(run(victim, eps=0.1, stop_on_success=stop)) for stop in (False, True)]

    assert abs(int(full.sum()) - int(stopped.sum())) <= 1


def test_stop_on_success_returns_clean_images_that_are_wrong_already(victim):
    labels = torch.where(torch.arange(len(victim.labels)) < 10, (victim.labels + 1) % 10, victim.labels)
    wrong = victim.model(victim.images).argmax(1) != labels

    found = pgd(victim.model, victim.images, labels, victim.draws(), steps=3, stop_on_success=True)

    assert torch.equal(found[wrong], victim.images[wrong])
    assert not torch.equal(found[~wrong], victim.images[~wrong])


def test_stop_on_success_sends_fewer_images_through_the_model(victim):
    seen = []

    def counting(images):
        seen.append(len(images))
        return victim.model(images)

    pgd(counting, victim.images, victim.labels, victim.draws(), eps=0.3, stop_on_success=True)

    assert sum(seen) < 0.5 * 42 * len(victim.images)


@pytest.mark.parametrize("stop", [False, True])
def test_pgd_towards_each_class_is_at_least_as_strong_as_any_one_target(victim, stop):
    rows = torch.arange(30)
    part = victim._replace(images=victim.images[rows], labels=victim.labels[rows])

    each = part.still_right(run(part, eps=0.1, steps=10, target="each", stop_on_success=stop))

    for target in ("next", "least_likely"):
        assert not (each & ~part.still_right(run(part, eps=0.1, steps=10, target=target))).any()


def test_a_targeted_attack_raises_the_probability_of_its_target(victim):
    with torch.no_grad():
        logits = victim.model(victim.images)
    target = least_likely(logits, victim.labels)

    found = run(victim, eps=0.3, target="least_likely")

    rows = torch.arange(len(target))
    with torch.no_grad():
        assert (victim.model(found).log_softmax(1)[rows, target] > logits.log_softmax(1)[rows, target]).all()


def test_the_margin_loss_moves_images_whose_cross_entropy_gradient_is_zero():
    weights = 1000 * torch.eye(3)
    images = torch.tensor([0.9, 0.3, 0.1]).expand(2, 1, 1, 3).contiguous()
    labels, draws = torch.zeros(2, dtype=torch.int64), RandomStreams(0, "attack", torch.arange(2))
    model = lambda x: x.flatten(1) @ weights  # noqa: E731

    masked = pgd(model, images, labels, draws, eps=0.2, random_start=False)
    found = pgd(model, images, labels, draws, eps=0.2, random_start=False, loss="margin")

    assert torch.equal(masked, images)
    torch.testing.assert_close(margin_loss(model(found), labels), torch.full((2,), -200.0))


def test_the_clean_image_comes_back_only_where_nothing_has_a_higher_loss():
    def model(images):  # the label's logit is highest at 0 and at 1, lowest in the middle
        pixels = images.flatten(1).mean(1)
        return torch.stack([(pixels - 0.5) ** 2, torch.zeros_like(pixels)], 1)

    images = torch.tensor([0.5, 0.3]).view(2, 1, 1, 1)

    found = pgd(model, images, torch.zeros(2, dtype=torch.int64), RandomStreams(0, "attack", torch.arange(2)), eps=0.05)

    assert found[0] == images[0]
    torch.testing.assert_close(found[1], torch.full((1, 1, 1), 0.35))


@pytest.mark.parametrize("steps", [1, 7])
def test_step_size_none_means_two_and_a_half_eps_over_steps(victim, steps):
    default, spelled = run(victim, steps=steps), run(victim, steps=steps, step_size=2.5 * 0.1 / steps)

    assert torch.equal(default, spelled)


def test_a_goal_with_a_target_is_minus_the_loss_of_the_target():
    logits = torch.tensor([[0.0, 1.0, 3.0]])
    labels, targets = torch.tensor([2]), torch.tensor([0])

    goal = Goal(labels, margin_loss, targets)

    assert goal(logits) == -3.0 and Goal(labels, margin_loss)(logits) == -2.0
    assert not goal.reached(logits)


def test_the_least_likely_class_is_never_the_label():
    logits = torch.tensor([[-5.0, 1.0, 0.5]])

    assert least_likely(logits, torch.tensor([0])) == 2
    assert least_likely(logits, torch.tensor([1])) == 0


def test_restarts_that_would_all_be_the_same_run_are_refused(victim):
    with pytest.raises(ValueError, match="set restarts to 1, or random_start to true"):
        run(victim, random_start=False, restarts=2)
