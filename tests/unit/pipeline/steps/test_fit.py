import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from touchstone.pipeline.steps.fit import fit, threshold
from touchstone.records.nouns import Scores


@pytest.mark.parametrize(("rate", "expected"), [(0.05, 95), (0.01, 99), (0.5, 50), (1.0, 1)])
def test_a_threshold_leaves_the_rate_above_it(rate, expected):
    assert threshold(np.arange(1.0, 101.0), rate) == expected


@given(st.integers(2, 300), st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_the_share_flagged_is_within_one_row_of_the_rate(count, rate):
    scores = np.sort(np.random.default_rng(count).normal(size=count))

    flagged = (scores > threshold(scores, rate)).mean()

    assert flagged <= rate + 1e-9
    assert flagged > rate - 1 / count - 1e-9


def test_a_detector_without_a_fit_gets_thresholds_and_spread_and_is_not_supervised():
    scores = Scores(np.arange(100.0), np.arange(100), np.zeros(100, np.int64))

    detector = fit(lambda _: scores, fitter=None, data=(), fit_on=(None, None), anomalous=[], label=None, model=None,
                   seed=0, false_positive_rates=[0.05], settings={}, device="cpu")  # fmt: skip

    assert detector.thresholds == {"0.05": 94.0}
    assert detector.spread == pytest.approx(np.arange(100.0).std())
    assert not detector.supervised
