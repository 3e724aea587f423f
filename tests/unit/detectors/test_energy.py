import math

import pytest
import torch

from touchstone.detectors.energy import energy


def test_energy_of_equal_logits_is_minus_their_value_minus_log_k():
    scores = energy(torch.full((1, 8), 2.5))

    assert scores.item() == pytest.approx(-2.5 - math.log(8))


def test_energy_ranks_a_uniform_row_above_a_peaked_one():
    scores = energy(torch.tensor([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]))

    assert scores[0] > scores[1]


def test_a_cold_energy_is_the_largest_logit():
    logits = torch.tensor([[4.0, 0.0, -1.0, 2.0]], dtype=torch.float64)

    assert energy(logits, temperature=1e-3).item() == pytest.approx(-4)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_energy_agrees_with_pytorch_ood(temperature):
    reference = pytest.importorskip("pytorch_ood.detector").EnergyBased
    logits = torch.randn(30, 10, generator=torch.Generator().manual_seed(0))

    torch.testing.assert_close(energy(logits, temperature=temperature), reference.score(logits, temperature))
