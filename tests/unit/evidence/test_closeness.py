"""What verify compares: a number that is no number is never close to one."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.evidence import closeness
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Detector, LeftOut, Outputs

LOGITS = np.float32([[3, 1], [2, 4], [5, 6]])


def outputs(logits=LOGITS):
    return Outputs(LOGITS, np.array([0, 1, 1]), np.arange(3), unquantised_logits=logits)


def test_a_stated_nan_is_named_with_its_row():
    """NumPy's argmax of a row with NaN is the NaN. So it could stand for any class."""
    forged = LOGITS.copy()
    forged[1, 1] = np.nan

    with pytest.raises(ValueError, match=r"logits of float images .* 1 of 3 rows differ, row 1"):
        closeness.compare(outputs(forged), outputs(), 1e-4)


def test_a_spread_that_is_nan_is_not_that_of_the_calibration_images():
    fitted = Detector({}, {"use": "detectors/msp"}, {"0.05": 0.5}, 1.0, supervised=False)

    with pytest.raises(ValueError, match="its spread is nan; the calibration images give 1"):
        closeness.compare(replace(fitted, spread=float("nan")), fitted, 1e-4)


@pytest.mark.parametrize("scale", [0, 1e-30, 1e-14, 1, 1e14])
def test_a_forged_number_is_found_at_any_scale(scale):
    norms = {"softmax_all": np.full((3, 2), scale)}
    forged = {"softmax_all": norms["softmax_all"] * 1.01 + 1e-36}
    stated, computed = (replace(outputs(), gradient_norms=values) for values in (forged, norms))

    with pytest.raises(ValueError, match="3 of 3 rows differ"):
        closeness.compare(stated, computed, 1e-4)


def test_what_can_be_computed_here_is_no_reason_to_leave_it_out():
    with pytest.raises(ValueError, match="it cannot be computed: one class"):
        closeness.compare(outputs(), LeftOut("one class"), 1e-4)
    with pytest.raises(ValueError, match=r"it leaves out \['vim'\], recomputed \[\]"):
        closeness.compare(Metrics([], ("vim",)), Metrics([]), 1e-4)
