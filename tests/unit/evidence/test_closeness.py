"""What verify compares: a number that is no number is never close to one."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.evidence import closeness
from touchstone.records.nouns import Detector, Outputs

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
