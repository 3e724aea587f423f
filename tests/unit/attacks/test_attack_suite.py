import pytest
import torch

from touchstone.adversary.effort import counted
from touchstone.attacks.apgd import apgd
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.square import square
from touchstone.numerics.tensors import to_grid, to_grid_towards

FEW = {"steps": 5, "restarts": 2, "restart_steps": 5, "queries": 50}


def run(victim, **settings):
    return attack_suite(victim.model, victim.images, victim.labels, victim.draws(), **settings)


def test_it_fools_what_its_first_attack_fools_and_no_attack_of_the_same_work_more(victim):
    first = apgd(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, steps=20, restarts=3)
    black_box = square(victim.model, victim.images, victim.labels, victim.draws(), eps=0.1, queries=200)

    left = int(victim.still_right(run(victim, eps=0.1)).sum())

    assert left <= min(int(victim.still_right(found).sum()) for found in (first, black_box))
    assert 0 < left < 100


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_what_it_fools_stays_fooled_on_the_grid_of_eight_bits(victim, norm):
    clean = to_grid(victim.images)
    eps = 0.1 if norm == "linf" else 0.5

    found = attack_suite(victim.model, clean, victim.labels, victim.draws(), eps=eps, norm=norm, **FEW)

    hasty = apgd(victim.model, clean, victim.labels, victim.draws(), eps=eps, norm=norm, steps=20, stop_on_success=True)
    lost = []
    for images in (found, hasty):
        wrong = ~victim.still_right(images)
        lost.append(int((wrong & victim.still_right(to_grid_towards(images, clean))).sum()))
    assert lost[0] <= 2 and lost[1] > 2 * lost[0]  # it keeps those that it could not bring onto the grid


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


def test_an_image_that_resists_costs_what_the_docstring_says(victim):
    class Constant(torch.nn.Module):  # its prediction never changes, and its gradient is not 0
        def forward(self, images):
            logits = images.flatten(1)[:, :4] * 0.01
            return logits + 10 * torch.nn.functional.one_hot(victim.labels[:1].expand(len(images)) % 4, 4)

    model, images = Constant(), victim.images[:1]
    labels = victim.labels[:1] % 4
    draws = victim.draws().take(torch.arange(1))

    with counted(model) as effort:
        attack_suite(model, images, labels, draws, eps=0.1, steps=4, restarts=3, restart_steps=6, queries=20)

    assert effort.gradient == 1 + 4 + 3 * (4 + 6)
    assert effort.forward - effort.gradient == 20 + 2 + 4  # Square, two looks at the image, and one at each run's best


def test_with_l2_the_passes_of_square_go_into_restarts(victim):
    def gradients(queries):
        with counted(victim.model) as effort:
            run(victim, eps=0.05, norm="l2", steps=3, restarts=1, restart_steps=6, queries=queries)
        return effort.gradient, effort.forward - effort.gradient

    assert gradients(100)[0] > 3 * gradients(0)[0]


def test_two_and_three_classes_are_attacked(victim):
    for classes in (2, 3):
        model = lambda x: victim.model(x)[:, :classes]  # noqa: B023, E731
        labels = victim.labels % classes
        with torch.no_grad():
            clean = model(victim.images).argmax(1) == labels
        found = attack_suite(model, victim.images, labels, victim.draws(), eps=0.15, **FEW)
        assert (model(found).argmax(1) == labels).sum() < clean.sum() - 5
