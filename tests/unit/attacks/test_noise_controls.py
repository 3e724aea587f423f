import pytest
import torch

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.random_sign import random_sign
from touchstone.attacks.uniform_noise import uniform_noise
from touchstone.numerics.tensors import RandomStreams


def test_random_signs_move_every_pixel_by_eps_up_or_down():
    images = torch.full((500, 1, 2, 2), 0.5, dtype=torch.float64)
    model, labels = (lambda x: x.flatten(1)), torch.zeros(500, dtype=torch.int64)

    change = random_sign(model, images, labels, RandomStreams(0, "attack", torch.arange(500)), eps=0.2) - images

    torch.testing.assert_close(change.abs(), torch.full_like(change, 0.2))
    assert (change > 0).double().mean() == pytest.approx(0.5, abs=0.05)


def test_uniform_noise_fills_the_interval_from_minus_eps_to_eps():
    images = torch.full((2000, 1, 2, 2), 0.5, dtype=torch.float64)
    model, labels = (lambda x: x.flatten(1)), torch.zeros(2000, dtype=torch.int64)

    change = uniform_noise(model, images, labels, RandomStreams(0, "attack", torch.arange(2000)), eps=0.2) - images

    assert change.abs().max() <= 0.2 and change.mean().abs() < 0.01
    assert change.std() == pytest.approx(0.2 / 3**0.5, rel=0.03)


def test_random_signs_move_a_linear_score_by_eps_times_the_l2_norm_fgsm_by_the_l1_norm(binary):
    victim, weights = binary
    images, labels = victim.images[:1].expand(4000, 1, 2, 3).contiguous(), torch.zeros(4000, dtype=torch.int64)
    draws = RandomStreams(0, "attack", torch.arange(4000))
    score = victim.model(images)[:, 1]

    noise = victim.model(random_sign(victim.model, images, labels, draws, eps=0.1))[:, 1] - score
    attack = victim.model(fgsm(victim.model, images, labels, draws, eps=0.1))[:, 1] - score

    assert noise.mean().item() == pytest.approx(0.0, abs=0.02)
    assert noise.std().item() == pytest.approx(0.1 * weights.norm().item(), rel=0.05)
    torch.testing.assert_close(attack, 0.1 * weights.abs().sum().expand(4000))


@pytest.mark.parametrize("control", [random_sign, uniform_noise])
def test_more_draws_never_lower_the_margin_loss_and_never_reach_fgsm(victim, control):
    one, many, attack = [
        margin_loss(victim.model(found), victim.labels)
        for found in (
            control(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1),
            control(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, draws=20),
            fgsm(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1),
        )
    ]

    assert (many >= one).all() and (many > one).any()
    assert (attack >= many).double().mean() > 0.95
