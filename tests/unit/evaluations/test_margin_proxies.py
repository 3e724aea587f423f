import numpy as np
import pytest

from touchstone.evaluations._margin_proxies import PROXIES, feature_margins, last_layer
from touchstone.evaluations.statistics.estimators import kendall_tau, logit_margins

PEAKED, FLAT = np.array([[9.0, 0.0, 0.0]]), np.array([[0.2, 0.1, 0.0]])


@pytest.mark.parametrize("name", PROXIES)
def test_every_proxy_ranks_a_peaked_row_above_a_flat_one(name):
    assert PROXIES[name](PEAKED) > PROXIES[name](FLAT)


def test_proxies_of_a_row_worked_by_hand():
    logits = np.log(np.array([[0.5, 0.3, 0.2]]))

    found = {name: float(proxy(logits)[0]) for name, proxy in PROXIES.items()}

    assert found["probability_margin"] == pytest.approx(0.2)
    assert found["max_probability"] == pytest.approx(0.5)
    assert found["max_logit"] == pytest.approx(np.log(0.5))
    assert found["entropy"] == pytest.approx(0.5 * np.log(0.5) + 0.3 * np.log(0.3) + 0.2 * np.log(0.2))
    assert found["energy"] == pytest.approx(0, abs=1e-12)
    assert found["gini"] == pytest.approx(0.25 + 0.09 + 0.04 - 1)


def points(weight, rows=60):
    inputs = np.random.default_rng(0).normal(size=(rows, weight.shape[1]))
    return inputs, inputs @ weight.T


def test_equidistant_rows_give_the_logit_margin_over_twice_c():
    """W = c * I, so every ||w_i - w_j||_1 is 2c."""
    weight = 3.0 * np.eye(4)
    _, logits = points(weight)

    found = feature_margins(logits, weight)

    np.testing.assert_allclose(found, logit_margins(logits) / 6)
    assert kendall_tau(found, logit_margins(logits)) == 1


def test_unequal_rows_take_the_orders_apart_and_the_feature_margin_is_the_exact_one():
    """W = diag(1, 1, 5), points near different boundaries."""
    weight = np.diag([1.0, 1.0, 5.0])
    _, logits = points(weight)
    own = logits.argmax(axis=1)
    exact = [
        min((z[i] - z[j]) / np.abs(weight[i] - weight[j]).sum() for j in range(3) if j != i)
        for z, i in zip(logits, own, strict=True)
    ]

    assert kendall_tau(np.array(exact), feature_margins(logits, weight)) == 1
    assert kendall_tau(np.array(exact), logit_margins(logits)) < 0.95


def test_the_feature_margin_of_the_l2_norm_divides_by_the_l2_norm():
    weight = np.array([[3.0, 0.0], [0.0, 4.0]])

    found = feature_margins(np.array([[10.0, 0.0]]), weight, "l2")

    assert found[0] == pytest.approx(10 / 5)


def test_a_shift_of_all_logits_changes_no_margin_and_a_scale_scales_them():
    _, logits = points(np.diag([1.0, 2.0, 3.0]))

    np.testing.assert_allclose(logit_margins(logits + 7), logit_margins(logits))
    np.testing.assert_allclose(logit_margins(4 * logits), 4 * logit_margins(logits))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1, 1e6])
def test_the_last_layer_is_found_by_what_it_does(scale):
    generator = np.random.default_rng(0)
    features, weight, bias = generator.random((20, 5)), generator.normal(size=(3, 5)), np.array([1.0, 2.0, 3.0])
    weight, bias = scale * weight, scale * bias
    weights = {"0.weight": np.ones((3, 5)), "0.bias": np.ones(3), "9.bias": bias, "9.weight": weight}

    found = last_layer(weights, features.astype(np.float32), (features @ weight.T + bias).astype(np.float32))

    np.testing.assert_array_equal(found, weight)
    assert last_layer({"0.weight": scale * np.ones((3, 5))}, features, features @ weight.T) is None
