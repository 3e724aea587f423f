from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.unclipped_confidence import unclipped_confidence
from touchstone.records.nouns import Cell, Outputs

STEP = {"use": "fgsm_log_probability", "eps": 0.25}
LABELS, IDS = np.zeros(2, np.int64), np.array([0, 1])


def cell(logits, exact=None, attack="own_cost", ids=IDS, entry="rbf"):
    exact = None if exact is None else np.array(exact, dtype=np.float32)
    noun = Outputs(np.array(logits, dtype=np.float32), LABELS, np.array(ids), unquantised_logits=exact)
    victim, settings = (f"{entry}.0", STEP) if attack else ("", {})
    return Cell(noun, f"{entry}/{attack}", entry, 0, "digits", attack, victim, settings=settings)


def by_metric(rows):
    return {row.metric: pytest.approx(row.value, rel=1e-6) for row in rows}


def test_the_images_before_rounding_count_with_the_probabilities_of_the_network_itself():
    clean = cell(np.log([[0.8, 0.1], [0.4, 0.2]]), attack="")
    attacked = cell(np.log([[0.9, 0.1], [0.9, 0.1]]), exact=np.log([[0.02, 0.04], [0.06, 0.03]]))

    assert by_metric(unclipped_confidence([clean, attacked], own_probabilities=["rbf"])) == {
        "unclipped_error": 0.5,
        "unclipped_confidence": 0.05,
        "unclipped_confidence_on_errors": 0.04,
        "unclipped_confidence_on_errors_above_quarter_of_clean": 0.04 - 0.8 / 4,
    }


def test_clean_images_are_joined_by_id_and_a_softmax_is_the_default():
    clean = cell([[0, 0], [9, 0]], attack="", ids=(1, 0))
    attacked = cell([[0, 0], [0, 0]], exact=[[0, 0], [0, 1]])

    found = by_metric(unclipped_confidence([clean, attacked]))
    sure = 1 / (1 + np.exp(-1))
    assert found["unclipped_confidence"] == (0.5 + sure) / 2
    assert found["unclipped_confidence_on_errors_above_quarter_of_clean"] == sure - 0.5 / 4


def test_where_nothing_is_wrong_there_is_no_confidence_on_errors():
    attacked = cell([[0, 0], [0, 0]], exact=[[1, 0], [1, 0]])

    found = by_metric(unclipped_confidence([cell([[0, 0], [9, 0]], attack=""), attacked]))
    assert not [metric for metric in found if "on_errors" in metric]


def test_images_without_their_floats_are_refused():
    with pytest.raises(ValueError, match="rbf/own_cost has no logits of the images before rounding"):
        unclipped_confidence([cell([[0, 0], [0, 0]], attack=""), cell([[0, 0], [0, 0]])])


def test_the_difference_of_two_errors_is_paired_by_image():
    same = [[9, 0], [9, 0]]
    cells = [cell(same, attack="", entry=entry) for entry in ("plain", "robust")]
    cells += [
        cell(same, exact=[[0, 9], [0, 9]], entry="plain"),
        cell(same, exact=[[9, 0], [0, 9]], ids=(1, 0), entry="robust"),
    ]

    rows = unclipped_confidence(cells, against=["plain"])

    (difference,) = (row for row in rows if row.metric == "unclipped_error_minus_plain")
    assert (difference.entry, difference.value, difference.n) == ("robust", -0.5, 2)


def test_attacks_that_were_made_on_another_network_take_no_part_in_the_difference():
    same, wrong, half = [[9, 0], [9, 0]], [[0, 9], [0, 9]], [[9, 0], [0, 9]]
    cells = [cell(same, attack="", entry=entry) for entry in ("plain", "robust")]
    cells += [cell(same, exact=wrong, entry="plain"), cell(same, exact=half, entry="robust")]
    cells += [replace(cell(same, exact=same, entry="plain"), victim="robust.0", file="plain/from_robust")]
    cells += [replace(cell(same, exact=wrong, entry="robust"), victim="plain.0", file="robust/from_plain")]

    rows = unclipped_confidence(cells, against=["plain"])

    differences = [row for row in rows if row.metric == "unclipped_error_minus_plain"]
    assert [(row.examples, row.value) for row in differences] == [("digits/own_cost", -0.5)]


def test_a_network_that_is_compared_with_has_to_be_there():
    with pytest.raises(ValueError, match="no outputs of plain"):
        unclipped_confidence([cell([[0, 0], [0, 0]], attack="")], against=["plain"])
