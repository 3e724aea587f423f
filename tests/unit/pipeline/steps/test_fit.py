import numpy as np
import pytest

from touchstone.pipeline.steps.fit import fit
from touchstone.records.nouns import Scores


def test_a_detector_without_a_fit_gets_thresholds_and_spread_and_is_not_supervised():
    scores = Scores(np.arange(100.0), np.arange(100), np.zeros(100, np.int64))

    detector = fit(lambda _: scores, fitter=None, data=(), fit_on=(None, None), anomalous=[], label=None, model=None,
                   seed=0, false_positive_rates=[0.05], settings={}, device="cpu")  # fmt: skip

    assert detector.thresholds == {"0.05": 94.0}
    assert detector.spread == pytest.approx(np.arange(100.0).std())
    assert not detector.supervised
