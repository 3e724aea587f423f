import numpy as np
import pytest

from touchstone.evaluations.unclipped_confidence import unclipped_confidence
from touchstone.records.nouns import Cell, Outputs

STEP = {"use": "fgsm_log_probability", "eps": 0.25}
LABELS, IDS = np.zeros(2, np.int64), np.array([0, 1])


def cell(logits, exact=None, attack="own_cost", ids=IDS):
    exact = None if exact is None else np.array(exact, dtype=np.float32)
    noun = Outputs(np.array(logits, dtype=np.float32), LABELS, np.array(ids), unquantised_logits=exact)
    victim, settings = ("rbf.0", STEP) if attack else ("", {})
    return Cell(noun, f"rbf/{attack}", "rbf", 0, "digits", attack, victim, settings=settings)


def by_metric(rows):
    return {row.metric: pytest.approx(row.value, rel=1e-6) for row in rows}


def test_the_images_before_rounding_count_with_the_probabilities_of_the_network_itself():
    clean = cell(np.log([[0.8, 0.1], [0.4, 0.2]]), attack="")
    attacked = cell(np.log([[0.9, 0.1], [0.9, 0.1]]), exact=np.log([[0.02, 0.04], [0.06, 0.03]]))

    assert by_metric(unclipped_confidence([clean, attacked], own_probabilities=["rbf"])) == {
        "unclipped_error": 0.5,
        "unclipped_confidence": 0.05,
        "unclipped_confidence_on_errors": 0.04,
        "unclipped_confidence_above_quarter_of_clean": 0.05 - 0.6 / 4,
    }


def test_clean_images_are_joined_by_id_and_a_softmax_is_the_default():
    clean = cell([[0, 0], [9, 0]], attack="", ids=(1, 0))
    attacked = cell([[0, 0], [0, 0]], exact=[[0, 0], [0, 0]])

    found = by_metric(unclipped_confidence([clean, attacked]))
    assert found["unclipped_confidence"] == 0.5
    assert found["unclipped_confidence_above_quarter_of_clean"] == 0.5 - (0.5 + 1 / (1 + np.exp(-9))) / 8


def test_images_without_their_floats_are_refused():
    with pytest.raises(ValueError, match="rbf/own_cost has no logits of the images before rounding"):
        unclipped_confidence([cell([[0, 0], [0, 0]], attack=""), cell([[0, 0], [0, 0]])])
