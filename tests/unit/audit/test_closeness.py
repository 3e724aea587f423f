"""What verify compares: a number that is no number is never close to one."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.audit import closeness
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Detector, LeftOut, Outputs, Scores

LOGITS = np.float32([[3, 1], [2, 4], [5, 6]])


def outputs(logits=LOGITS):
    return Outputs(LOGITS, np.array([0, 1, 1]), np.arange(3), unquantised_logits=logits)


def test_a_stated_nan_is_refused_when_it_is_read():
    """NumPy's argmax of a row with NaN is the NaN. So it could stand for any class."""
    forged = LOGITS.copy()
    forged[1, 1] = np.nan

    with pytest.raises(ValueError, match="unquantised logits: holds NaN or infinity"):
        outputs(forged)


def test_a_spread_that_is_nan_is_not_that_of_the_calibration_images():
    fitted = Detector({}, {"use": "detectors/msp"}, {"0.05": 0.5}, 1.0, supervised=False)

    with pytest.raises(ValueError, match="its spread is nan; the calibration images give 1"):
        closeness.compare(replace(fitted, spread=float("nan")), fitted)


def test_a_row_is_held_to_its_own_scale_and_one_that_almost_cancels_to_that_of_the_middle_row():
    logits = np.float32([[1e4, 0], [1, -2], [3, 1], [1e-6, 0]])
    stated = Outputs(logits, np.zeros(4, np.int64), np.arange(4))
    # The largest values are 10,000, 2, 3 and 1e-6, so their median is 2.5.

    for row, scale in ((0, 1e4), (1, 2.5), (2, 3), (3, 2.5)):
        for factor, close in ((0.8, True), (1.3, False)):
            moved = logits.astype(np.float64)
            moved[row, 1] += factor * closeness.STEPS * 2.0**-23 * scale
            forged = replace(stated, logits=moved)
            if close:
                assert not closeness.compare(forged, stated).exact
            else:
                with pytest.raises(ValueError, match=f"1 of 4 rows differ, row {row} "):
                    closeness.compare(forged, stated)


def test_a_gradient_that_a_sure_network_rounds_away_may_be_another_but_only_by_that_rounding():
    """The gradient for the predicted label is one of p - 1. Here p is a few steps of float32 below 1, in each row."""
    step, size = 2.0**-24, 1e3  # of p; of a gradient whose label no input carries
    sure = np.arange(20, 40, dtype=np.float64)  # in steps
    here, elsewhere, forged = ((steps * step * size)[:, None] ** 2 for steps in (sure, sure + 2, sure * 3))
    others = np.full(
        (20, 1), (10 * size) ** 2
    )  # 10 classes: for a label of all of them, the gradient is ten times as large
    computed, honest, false = (
        Outputs(
            np.tile(LOGITS[:1], (20, 1)), np.zeros(20, np.int64), np.arange(20),
            gradient_norms={"predicted": values, "softmax_all": others},
        )
        for values in (here, elsewhere, forged)
    )  # fmt: skip

    assert not closeness.compare(honest, computed).exact
    with pytest.raises(ValueError, match=r"its gradient_norms.predicted are not what is computed here: 20 of 20 rows"):
        closeness.compare(false, computed)


def scores(values):
    return Scores(values, np.arange(len(values)), np.zeros(len(values), np.int64))


def test_rows_that_are_all_close_but_shifted_past_each_other_are_named():
    """Otherwise a forger could move an AUROC or a flagged share: half of the scores are within rounding of -1."""
    honest = -1 + np.random.default_rng(0).uniform(0, 1e-5, 100)
    shifted, swapped = honest - 5e-6, honest.copy()
    swapped[:2] = honest[1::-1]

    assert not closeness.compare(scores(swapped), scores(honest)).exact
    assert not closeness.compare(scores(honest - 1e-12), scores(honest)).exact
    with pytest.raises(
        ValueError, match=r"on the other side of one value in \d+ of 100 rows; rounding decides 2 at most"
    ):
        closeness.compare(scores(shifted), scores(honest))


def test_scores_that_float32_hardly_tells_apart_are_not_called_forged_and_their_order_not_proved():
    """The softmax of a sure network is 1 but for a few steps, and another processor rounds all rows alike."""
    saturated = -1 + 2.0**-24 * np.arange(100) / 50
    shifted, moved = saturated + 2.0**-23, saturated + 32 * 2.0**-23

    assert closeness.compare(scores(saturated), scores(saturated + 1e-12)).ordered
    assert not closeness.compare(scores(shifted), scores(saturated)).ordered
    with pytest.raises(ValueError, match="on the other side of one value in 100 of 100 rows; rounding decides 2"):
        closeness.compare(scores(moved), scores(saturated))


@pytest.mark.parametrize("scale", [0, 1e-30, 1e-14, 1, 1e14])
def test_a_forged_number_is_found_at_any_scale(scale):
    norms = {"softmax_all": np.full((3, 2), scale)}
    forged = {"softmax_all": norms["softmax_all"] * 1.01 + 1e-36}
    stated, computed = (replace(outputs(), gradient_norms=values) for values in (forged, norms))

    with pytest.raises(ValueError, match="3 of 3 rows differ"):
        closeness.compare(stated, computed)


def test_what_can_be_computed_here_is_no_reason_to_leave_it_out():
    with pytest.raises(ValueError, match="it cannot be computed: one class"):
        closeness.compare(outputs(), LeftOut("one class"))
    with pytest.raises(ValueError, match=r"it leaves out \['vim'\], recomputed \[\]"):
        closeness.compare(Metrics([], ("vim",)), Metrics([]))
