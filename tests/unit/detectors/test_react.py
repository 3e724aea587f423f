import pytest
import torch

from touchstone.detectors.energy import energy
from touchstone.detectors.react import fit, react


def outputs(rows=200, width=12, classes=4):
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(classes, width, generator=draw), torch.randn(classes, generator=draw)
    features = torch.randn(rows, width, generator=draw).relu()
    return features, features @ weight.T + bias, weight, bias


def test_react_without_clipping_is_the_energy():
    features, logits, _, _ = outputs()

    assert torch.equal(react(logits, features, fit(logits, features, quantile=1.0)), energy(logits))


def test_react_is_the_energy_of_the_clipped_features():
    features, logits, weight, bias = outputs()

    state = fit(logits, features, quantile=0.8)

    clipped = features.clamp(max=torch.quantile(features, 0.8))
    expected = energy(clipped @ weight.T + bias)
    torch.testing.assert_close(react(logits, features, state), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("quantile", [0.0, 0.37, 0.9, 1.0])
def test_the_ceiling_is_the_interpolated_quantile(quantile):
    features, logits, _, _ = outputs()

    state = fit(logits, features, quantile=quantile)

    torch.testing.assert_close(state["ceiling"], torch.quantile(features.double(), quantile).view(1))


def test_react_agrees_with_pytorch_ood():
    features, logits, weight, bias = outputs()
    reference = pytest.importorskip("pytorch_ood.detector").ReAct(None, lambda z: z @ weight.T + bias, percentile=0.9)
    reference.fit_feature_maps(features, torch.zeros(len(features)))

    ours = react(logits, features, fit(logits, features))

    torch.testing.assert_close(ours, reference.predict_feature_maps(features), rtol=1e-4, atol=1e-4)
