"""The separation theorem of Ngnawe et al. 2024 against brute force: no code of ours rests on it but these definitions."""

import itertools

import numpy as np
import pytest

from touchstone.evaluations.statistics.estimators import Array, checked


def orders_agree(inputs: Array, proxies: Array) -> bool:
    """Return whether a pair of rows never stands in another order by `inputs` (N,) than by `proxies` (N,).

    The definition, for all pairs: inputs[a] <= inputs[b] exactly when proxies[a] <= proxies[b]. Infinite input margins
    (not found) tie. Ngnawe et al. 2024, definition 1.
    """
    inputs, proxies = checked(inputs, "inputs"), checked(proxies, "proxies")
    return bool(np.array_equal(inputs[:, None] <= inputs, proxies[:, None] <= proxies))


def threshold_at(inputs: Array, proxies: Array, eps: float) -> float | None:
    """Return a threshold with which proxy <= threshold exactly where input margin <= eps; None where there is none."""
    inputs, proxies = checked(inputs, "inputs"), checked(proxies, "proxies")
    brittle = inputs <= eps
    least = float(proxies[brittle].max(initial=-np.inf))
    return least if least < float(proxies[~brittle].min(initial=np.inf)) else None


def separates_at_every_eps(inputs: Array, proxies: Array) -> bool:
    """Return whether at every eps >= 0 some threshold on the proxy tells brittle rows from the others without error.

    The theorem of Ngnawe et al. 2024: where no two input margins are equal, this holds exactly when `orders_agree`. With
    equal ones it is the weaker of the two, since rows that turn brittle together may have any order among themselves.
    """
    inputs = checked(inputs, "inputs")
    levels = np.unique(inputs[np.isfinite(inputs)])  # between two levels the brittle rows are the same
    return all(threshold_at(inputs, proxies, float(eps)) is not None for eps in levels)


def brute_force(inputs, proxies):
    """Whether for every eps some threshold works, by trying every eps and every threshold that could matter."""
    thresholds = [-1, *proxies]
    return all(
        any(all((proxy <= t) == (margin <= eps) for margin, proxy in zip(inputs, proxies, strict=True)) for t in thresholds)
        for eps in [0, *inputs]
    )  # fmt: skip


def test_a_threshold_separates_at_every_eps_exactly_when_the_orders_agree():
    inputs = np.arange(1.0, 7.0)  # six different input margins
    both = {True: 0, False: 0}

    for order in itertools.product(range(4), repeat=6):  # every order of six proxies, ties among them
        proxies = np.array(order, dtype=np.float64) + 1
        expected = brute_force(inputs, proxies)
        assert separates_at_every_eps(inputs, proxies) == orders_agree(inputs, proxies) == expected
        both[expected] += 1
    assert not both[True]  # four values cannot order six inputs

    for order in itertools.permutations(range(6)):
        proxies = np.array(order, dtype=np.float64)
        expected = brute_force(inputs, proxies)
        assert separates_at_every_eps(inputs, proxies) == orders_agree(inputs, proxies) == expected
        both[expected] += 1
    assert both[True] == 1  # of 720 orders, the one that is the same


@pytest.mark.parametrize("seed", range(200))
def test_with_equal_input_margins_agreement_suffices_and_brute_force_decides(seed):
    generator = np.random.default_rng(seed)
    inputs = generator.integers(1, 4, 6).astype(float)
    proxies = 2 * inputs + generator.integers(0, 3, 6) * generator.integers(0, 2)

    assert separates_at_every_eps(inputs, proxies) == brute_force(inputs, proxies)
    if orders_agree(inputs, proxies):
        assert separates_at_every_eps(inputs, proxies)


def test_inputs_that_turn_brittle_together_may_have_any_order_among_themselves():
    inputs, proxies = np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])

    assert separates_at_every_eps(inputs, proxies) and not orders_agree(inputs, proxies)


def test_what_was_not_found_is_never_brittle():
    inputs, proxies = np.array([0.1, 0.2, np.inf, np.inf]), np.array([1.0, 2.0, 3.0, 2.5])

    assert separates_at_every_eps(inputs, proxies)
    assert not separates_at_every_eps(inputs, np.array([1.0, 2.0, 3.0, 1.5]))


def test_the_threshold_is_the_largest_proxy_of_a_brittle_row():
    inputs, proxies = np.array([0.1, 0.2, 0.3]), np.array([1.0, 2.0, 3.0])

    assert threshold_at(inputs, proxies, 0.25) == 2
    assert threshold_at(inputs, proxies[::-1], 0.25) is None
    assert threshold_at(inputs, proxies, 0.05) == -np.inf
