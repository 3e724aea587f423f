import torch

from touchstone.detectors.feature_network import feature_network, fit


def ring(radius, seed):
    angle = 7 * torch.rand(400, 1, generator=torch.Generator().manual_seed(seed))
    return radius * torch.cat([angle.cos(), angle.sin()], dim=1)


def test_the_network_tells_what_no_linear_score_can():
    state = fit(ring(1, 0), ring(2, 1), 0, learning_rate=1e-2)

    inner, outer = feature_network(ring(1, 2), state), feature_network(ring(2, 3), state)

    assert (inner < 0).float().mean() > 0.95
    assert (outer > 0).float().mean() > 0.95
