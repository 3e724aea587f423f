import pytest
import torch

from touchstone.attacks import attack_suite as suite
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.adversary.success import misclassified
from touchstone.attacks.apgd import apgd
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.square import square
from touchstone.numerics.tensors import RandomStreams, to_grid, to_grid_towards

FEW = {"steps": 5, "restarts": 2, "restart_steps": 5, "queries": 50}


def run(victim, **settings):
    return attack_suite(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def test_it_fools_what_its_first_attack_fools_and_no_attack_of_the_same_work_more(victim):
    first = apgd(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=20, restarts=3)
    black_box = square(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, queries=200)

    left = int(victim.still_right(run(victim, eps=0.1)).sum())

    assert left <= min(int(victim.still_right(found).sum()) for found in (first, black_box))
    assert 0 < left < 100


@pytest.mark.parametrize(("norm", "budgets"), [("linf", (0.08, 0.12)), ("l2", (0.4, 0.6))])
def test_what_it_fools_stays_fooled_on_the_grid_of_eight_bits(victim, norm, budgets, monkeypatch):
    clean = to_grid(victim.images)

    def lost():
        """The number of images that are misclassified, and right again once they are rounded."""
        count = 0
        for eps in budgets:
            found = attack_suite(victim.model, clean, victim.labels, victim.draws(), eps=eps, norm=norm, **FEW)
            right_again = victim.still_right(to_grid_towards(found, clean)) & ~victim.still_right(found)
            count += int(right_again.sum())
        return count

    kept = lost()
    monkeypatch.setattr(suite, "misclassified_on_grid", lambda model: misclassified)
    hasty = lost()

    assert kept <= 2 and hasty > kept  # it keeps those that it could not bring onto the grid


def test_a_network_that_hides_its_gradients_is_left_to_square(victim):
    class Rounded(torch.nn.Module):
        def forward(self, images):
            return (20 * victim.model((images * 16).round() / 16)).round()

    hidden = Rounded()

    def left(queries):
        found = attack_suite(
            hidden, victim.images, victim.labels, victim.draws(), eps=0.1, **FEW | {"queries": queries}
        )
        return int((hidden(found).argmax(1) == victim.labels).sum())

    assert left(400) < left(0) - 5


def cost_of(model, images, **settings):
    labels = torch.zeros(len(images), dtype=torch.int64)
    draws = RandomStreams(0, "attack", torch.arange(len(images)))
    with counted(model) as effort:
        attack_suite(model, images, labels, draws, steps=4, restarts=5, restart_steps=6, queries=21, **settings)
    return effort.gradient, effort.forward - effort.gradient


class Lead(torch.nn.Module):
    """Class 0 leads by .01 plus the mean pixel of the images that it sees, so it never loses."""

    def __init__(self, see=lambda images: images):
        super().__init__()
        self.see = see

    def forward(self, images):
        lead = 0.01 + self.see(images).flatten(1).mean(1)
        return torch.stack([lead, *(0 * lead for _ in range(3))], 1)


GRAY = torch.full((1, 1, 4, 4), 0.5)
# Steps on the cross-entropy, of three restarts, and towards three classes from the image. No gradient is taken at the last
# point of these seven runs. Two looks at the image.
RAN, LOOKS = 4 + 3 * (3 + 6) + 3 * 25, 7 + 2


def test_gradients_that_come_near_the_boundary_are_followed_up_and_a_few_queries_probe_them():
    # Two restarts, and towards three classes from the best point, at which each looks first.
    more = 2 * (3 + 6) + 3 * 50

    assert cost_of(Lead(), GRAY, eps=0.2) == (RAN, LOOKS + 3)
    assert cost_of(Lead(), GRAY, eps=0.45) == (RAN + more, LOOKS + 8 + 3)
    assert cost_of(Lead(), GRAY, eps=0.1, norm="l2") == (RAN + more, LOOKS + 8)


@pytest.mark.parametrize("see", [lambda images: (images * 64).round() / 64, lambda images: 0 * images])
def test_all_queries_are_spent_where_gradients_are_hidden_or_nothing_raises_the_loss(see):
    assert cost_of(Lead(see), GRAY, eps=0.2) == (RAN, LOOKS + 3 + 21)


def test_what_an_image_gets_depends_on_no_other_image(victim):
    alone = [
        attack_suite(
            victim.model,
            victim.images[i : i + 1],
            victim.labels[i : i + 1],
            victim.draws().take(torch.tensor([i])),
            **FEW,
        )
        for i in range(8)
    ]

    together = attack_suite(
        victim.model, victim.images[:8], victim.labels[:8], victim.draws().take(torch.arange(8)), **FEW
    )

    torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=0.005)  # batches round differently


def test_two_and_three_classes_are_attacked(victim):
    for classes in (2, 3):
        model = lambda x: victim.model(x)[:, :classes]  # noqa: B023, E731
        labels = victim.labels % classes
        with torch.no_grad():
            clean = model(victim.images).argmax(1) == labels
        found = attack_suite(model, victim.images, labels, victim.draws(), eps=0.15, **FEW)
        assert (model(found).argmax(1) == labels).sum() < clean.sum() - 5


def test_no_two_draws_of_an_image_are_the_same(victim, monkeypatch):
    drawn, bits = [], RandomStreams._bits

    def counting(streams, shape):
        values = bits(streams, shape)
        drawn.append(streams.count)
        return values

    monkeypatch.setattr(RandomStreams, "_bits", counting)
    run(victim, eps=0.02, **FEW | {"restarts": 5, "queries": 0})

    assert len(drawn) > 8 and len(set(drawn)) == len(drawn)
