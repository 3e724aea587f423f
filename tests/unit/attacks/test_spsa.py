import torch

from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.pgd import pgd
from touchstone.attacks.spsa import spsa
from touchstone.attacks.uniform_noise import uniform_noise


def margins(victim, images):
    with torch.no_grad():
        return margin_loss(victim.model(images), victim.labels)


def test_spsa_finds_the_corner_of_the_ball_on_a_linear_model(binary):
    victim, weights = binary

    found = spsa(victim.model, victim.images, victim.labels, victim.draws(), eps=0.05, steps=40, samples=64)

    expected = -0.05 * (2 * victim.labels - 1)[:, None] * weights.sign()
    moved = (found - victim.images).flatten(1)
    strong = weights.abs() >= 0.5
    torch.testing.assert_close(moved[:, strong], expected[:, strong], rtol=0, atol=0.02)


def test_spsa_is_stronger_than_noise_and_weaker_than_pgd(victim):
    part = victim._replace(images=victim.images[:40], labels=victim.labels[:40])
    arguments = (part.model, part.images, part.labels, part.draws())

    noise = margins(part, uniform_noise(*arguments, eps=0.1, draws=20)).mean()
    found = margins(part, spsa(*arguments, eps=0.1)).mean()
    gradient = margins(part, pgd(*arguments, eps=0.1, loss="margin")).mean()

    assert noise < found < gradient


def test_the_margin_loss_is_never_below_that_of_the_image(victim):
    found = spsa(victim.model, victim.images, victim.labels, victim.draws(), eps=0.02, steps=2, samples=1)

    assert (margins(victim, found) >= margins(victim, victim.images)).all()


def test_spsa_never_asks_for_a_gradient_and_asks_as_often_as_it_says(victim):
    asked = []

    @torch.no_grad()
    def scores(images):
        asked.append(len(images))
        return victim.model(images)

    spsa(scores, victim.images[:5], victim.labels[:5], victim.draws().take(torch.arange(5)), steps=3, samples=4)

    assert sum(asked) == 5 * 3 * (2 * 4 + 1) + 5 + 1  # and the image itself, and one to count the classes
