import pytest
import torch

from touchstone.detectors.gradient_network import fit, gradient_network


def norms(shift, rows=200, seed=0):
    """Gradient norms whose logarithm is normal, spread over many orders of magnitude."""
    draw = torch.Generator().manual_seed(seed)
    return torch.exp(torch.randn(rows, 4, generator=draw) + torch.tensor([-20.0, 0.0, 5.0, 12.0]) + shift)


def auroc(known, anomalous):
    return (anomalous[:, None] > known).double().mean().item()


def test_the_network_learns_a_pattern_over_layers_that_the_sum_cannot_see():
    shift = torch.tensor([3.0, -3.0, 0.0, 0.0])  # the last column rules the sum

    state = fit(norms(0), norms(shift, seed=1), 0)

    known, anomalous = norms(0, seed=2), norms(shift, seed=3)
    assert auroc(gradient_network(known, state), gradient_network(anomalous, state)) > 0.95
    assert auroc(known.sum(1), anomalous.sum(1)) == pytest.approx(0.5, abs=0.1)


def test_a_common_factor_of_all_norms_changes_nothing():
    factor = 1e6
    shift = torch.tensor([3.0, -3.0, 0.0, 0.0])

    plain = gradient_network(norms(0, seed=2)[:, 1:], fit(norms(0)[:, 1:], norms(shift, seed=1)[:, 1:], 0))
    scaled = gradient_network(
        factor * norms(0, seed=2)[:, 1:], fit(factor * norms(0)[:, 1:], factor * norms(shift, seed=1)[:, 1:], 0)
    )

    torch.testing.assert_close(plain, scaled, rtol=1e-2, atol=1e-2)


def test_a_norm_of_zero_has_a_score():
    state = fit(norms(0), norms(2, seed=1), 0)

    assert gradient_network(torch.zeros(2, 4), state).isfinite().all()


def test_only_the_last_tensors_are_read_if_asked():
    shift = torch.tensor([3.0, 0.0, 0.0, 0.0])

    state = fit(norms(0), norms(shift, seed=1), 0, tensors=2)

    known, anomalous = norms(0, seed=2), norms(shift, seed=3)
    changed = known * torch.tensor([1e6, 1e-6, 1.0, 1.0])
    torch.testing.assert_close(gradient_network(known, state), gradient_network(changed, state))
    assert auroc(gradient_network(known, state), gradient_network(anomalous, state)) < 0.7
