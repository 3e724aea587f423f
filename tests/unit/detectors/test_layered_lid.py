import pytest
import torch
from torch import nn

from touchstone.detectors._layer_features import layer_features
from touchstone.detectors._layer_regression import fit_layer_regression, layer_regression_logit
from touchstone.detectors.layered_lid import fit, layered_lid
from touchstone.detectors.lid import lid
from touchstone.numerics.tensors import derive

SIDE = 4


def network():
    torch.manual_seed(0)
    layers = nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3)
    return nn.Sequential(nn.Flatten(), *layers).double()


def cloud(rows, dimensions, seed):
    """Images that fill `dimensions` directions: their features have about that dimension, too."""
    draw = torch.Generator().manual_seed(seed)
    directions = torch.rand(dimensions, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    weights = torch.rand(rows, dimensions, dtype=torch.float64, generator=draw)
    return (weights @ directions / dimensions).view(rows, 1, SIDE, SIDE)


def auroc(known, anomalous):
    return (anomalous[:, None] > known).double().mean().item()


def test_the_score_is_a_regression_on_the_estimate_of_each_layer():
    model, images, odd = network(), cloud(120, 2, 0), cloud(60, 8, 1)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(derive(3, "order")))

    state = fit(images, odd, model, 3, references=50, k=10)
    scores = layered_lid(odd, model, state, k=10).detach()

    references = layer_features(model, images[order[:50]])  # of the first half; the regression sees the other
    estimates = torch.stack(
        [
            lid(rows, {"references": own}, k=10)
            for rows, own in zip(layer_features(model, odd), references, strict=True)
        ],
        1,
    ).detach()
    torch.testing.assert_close(state["references.1"], references[1].detach())
    standardised = (estimates - state["centre"]) / state["scale"]
    torch.testing.assert_close(scores, standardised @ state["weights"] + state["bias"])
    assert len(state["weights"]) == 2


def test_a_stored_state_of_many_layers_gives_the_same_scores():
    """Stored names come back in the order of the alphabet: "references.10" before "references.2"."""
    torch.manual_seed(0)
    layers = [layer for _ in range(12) for layer in (nn.Linear(16, 16), nn.Softplus())]
    model = nn.Sequential(nn.Flatten(), *layers, nn.Linear(16, 3)).double()
    state = fit(cloud(60, 2, 0), cloud(30, 8, 1), model, 0, references=20, k=5)
    stored = {name: state[name] for name in sorted(state)}

    torch.testing.assert_close(
        layered_lid(cloud(5, 8, 2), model, stored, k=5), layered_lid(cloud(5, 8, 2), model, state, k=5)
    )


def test_images_of_a_higher_dimension_than_the_known_ones_are_anomalous():
    model = network()
    state = fit(cloud(300, 2, 0), cloud(150, 8, 1), model, 0)

    with torch.no_grad():
        known, anomalous = (layered_lid(cloud(100, dimensions, 5), model, state) for dimensions in (2, 8))

    assert auroc(known, anomalous) > 0.9


def test_only_the_last_layers_are_read_if_asked():
    model, images, odd = network(), cloud(120, 2, 0), cloud(60, 8, 1)

    state = fit(images, odd, model, 0, layers=1)

    assert [name for name in state if name.startswith("references")] == ["references.0"]
    assert state["references.0"].shape == (60, 8)
    assert layered_lid(odd, model, state).shape == (60,)


def test_its_gradient_reaches_the_image():
    model, images, odd = network(), cloud(120, 2, 0), cloud(60, 8, 1)
    state = fit(images, odd, model, 0)
    points = odd[:3].clone().requires_grad_()

    layered_lid(points, model, state).sum().backward()

    assert points.grad.abs().sum() > 0


def test_the_regression_tells_two_groups_apart_whatever_the_units():
    draw = torch.Generator().manual_seed(0)
    known, odd = torch.randn(200, 2, generator=draw), torch.randn(50, 2, generator=draw) + torch.tensor([0.0, 3.0])
    units = torch.tensor([1e3, 1e-3])

    plain, scaled = (
        layer_regression_logit(
            odd * u, fit_layer_regression(known * u, odd * u, inverse_strength=1.0, dtype=torch.float32), torch.float64
        )
        for u in (torch.ones(2), units)
    )

    torch.testing.assert_close(plain, scaled, rtol=1e-3, atol=1e-3)
    assert (plain > 0).double().mean() > 0.85


def test_numbers_that_are_none_are_refused():
    with pytest.raises(ValueError, match="NaN or infinite"):
        fit_layer_regression(torch.full((3, 1), torch.nan), torch.ones(3, 1), inverse_strength=1.0, dtype=torch.float32)
