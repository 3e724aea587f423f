import numpy as np
import pytest

from touchstone.pipeline.steps.fit import fit, spread_of
from touchstone.records.nouns import Outputs, Scores


def test_a_detector_without_a_fit_gets_thresholds_and_spread_and_is_not_supervised():
    scores = Scores(np.arange(100.0), np.arange(100), np.zeros(100, np.int64))

    detector = fit(lambda _: scores, fitter=None, data=(), fit_on=(None, None), anomalous=[], label=None, model=None,
                   seed=0, false_positive_rates=[0.05], settings={}, device="cpu")  # fmt: skip

    assert detector.thresholds == {"0.05": 94.0}
    assert detector.spread == pytest.approx(np.arange(100.0).std())
    assert not detector.supervised


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_the_unit_of_scores_has_their_scale_also_if_all_are_equal(scale):
    equal, rising = np.full(50, scale), scale * np.arange(50.0)

    assert 1e-6 * scale < spread_of(equal) < 1e-4 * scale
    assert spread_of(rising) == rising.std()
    assert spread_of(0 * equal) == 1


def test_data_that_are_not_finite_are_not_fitted_on():
    outputs = Outputs(
        np.ones((4, 2), np.float32), np.zeros(4, np.int64), np.arange(4), {"penultimate": np.ones((4, 3))}
    )
    outputs.features["penultimate"][2, 1] = np.inf  # past its checks

    with pytest.raises(ValueError, match="fit_features: 1 of 4 rows hold NaN or infinity"):
        fit(None, fitter=lambda features: {}, data=("fit_features",), fit_on=(outputs, None), anomalous=[], label=None,
            model=None, seed=0, false_positive_rates=[], settings={}, device="cpu")  # fmt: skip
