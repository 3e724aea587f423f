import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchstone.evaluations.statistics.thresholds import catching_threshold, threshold_at


@pytest.mark.parametrize(("rate", "expected"), [(0.05, 95), (0.01, 99), (0.5, 50), (1.0, 1), (0.42, 58)])
def test_a_threshold_leaves_the_rate_above_it(rate, expected):
    assert threshold_at(np.arange(1.0, 101.0), rate) == expected


@given(st.integers(2, 300), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_the_share_flagged_is_within_one_row_of_the_rate(count, rate):
    scores = np.sort(np.random.default_rng(count).normal(size=count))

    flagged = (scores > threshold_at(scores, rate)).mean()

    assert flagged <= rate + 1e-9
    assert flagged > rate - 1 / count + 1e-9


def test_a_catching_threshold_has_95_percent_of_the_brittle_inputs_at_or_below_it():
    proxies = np.arange(40.0)

    assert catching_threshold(proxies, np.arange(40) < 20, 0.95) == 18
    assert catching_threshold(proxies, np.arange(40) < 10, 0.95) == 9  # 8 would catch nine of ten
    assert catching_threshold(proxies, np.zeros(40, dtype=bool), 0.95) == -np.inf
