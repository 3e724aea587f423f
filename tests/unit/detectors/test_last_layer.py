import pytest
import torch

from touchstone.detectors._last_layer import last_layer

torch.set_num_threads(1)


def outputs(dtype=torch.float32, rows=100, width=12):
    draw = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(4, width, generator=draw, dtype=dtype), torch.randn(4, generator=draw, dtype=dtype)
    features = torch.randn(rows, width, generator=draw, dtype=dtype).relu()
    return features, weight, bias


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_layer_is_recovered_up_to_rounding(dtype, tolerance):
    features, weight, bias = outputs(dtype)

    found = last_layer(features, features @ weight.T + bias)

    torch.testing.assert_close(found, (weight.double(), bias.double()), rtol=0, atol=tolerance)


def test_a_unit_that_never_fires_has_no_weight():
    features, weight, bias = outputs()
    features[:, 3] = 0

    found, found_bias = last_layer(features, features @ weight.T + bias)

    weight[:, 3] = 0
    torch.testing.assert_close((found, found_bias), (weight.double(), bias.double()), rtol=0, atol=1e-5)


def test_logits_of_another_layer_are_refused():
    features, weight, bias = outputs()

    with pytest.raises(ValueError, match="not the penultimate"):
        last_layer(features, (features @ weight.T + bias).tanh())


def test_too_few_rows_are_refused():
    features, weight, bias = outputs(rows=12)

    with pytest.raises(ValueError, match="more rows than the 12 features, got 12"):
        last_layer(features, features @ weight.T + bias)


def test_features_that_nearly_depend_on_each_other_lose_no_digit_to_the_pseudo_inverse():
    features, weight, bias = outputs(torch.float64, rows=400)
    features[:, 3] = features[:, 4] + 1e-4 * features[:, 3]
    features = features.float()
    logits = features @ weight.float().T + bias.float()

    found, _ = last_layer(features, logits)

    inputs = torch.cat([features.double(), torch.ones(400, 1, dtype=torch.float64)], dim=1)
    exact = torch.linalg.pinv(inputs, rtol=10 * torch.finfo(torch.float32).eps) @ logits.double()
    torch.testing.assert_close(found, exact[:-1].T, rtol=0, atol=1e-9)
