"""Gradients of an observation: computed when they are read, and only those that a step needs."""

import pytest
import torch

from touchstone.attacks.adversary.evasion import Observation, lower_or_raise

CLASS, SCORE = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1), torch.tensor([10.0, 20.0]).view(2, 1, 1, 1)


def observation():
    """Return an observation of two rows, and the names of the gradients that were computed, in order."""
    computed = []

    def slope(name, gradient):
        computed.append(name)
        return gradient

    margin, excess = torch.tensor([-1.0, 1.0]), torch.tensor([0.5, 0.5])
    return Observation(margin, excess, lambda: slope("class", CLASS), lambda: slope("score", SCORE)), computed


@pytest.mark.parametrize(
    ("lower", "direction", "needed"),
    [
        ([False, False], [1, 2], ["class"]),
        ([True, True], [-10, -20], ["score"]),
        ([False, True], [1, -20], ["class", "score"]),
    ],
)
def test_a_step_computes_only_the_gradients_that_some_row_needs(lower, direction, needed):
    seen, computed = observation()

    found = lower_or_raise(seen, torch.tensor(lower))

    assert found.flatten().tolist() == direction
    assert sorted(computed) == needed


def test_a_gradient_is_computed_once():
    seen, computed = observation()

    assert seen.class_gradient is seen.class_gradient
    assert computed == ["class"]
