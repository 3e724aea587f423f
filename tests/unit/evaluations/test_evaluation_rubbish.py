import numpy as np
import pytest

from touchstone.evaluations.rubbish import rubbish
from touchstone.records.nouns import Cell, Outputs


def cell(logits, exact=None, labels=-1, entry="mlp"):
    logits = np.array(logits, dtype=np.float32)
    exact = None if exact is None else np.array(exact, dtype=np.float32)
    noun = Outputs(logits, np.full(len(logits), labels), np.arange(len(logits)), unquantised_logits=exact)
    return Cell(noun, "noise", entry, 0, "noise")


def by_metric(rows):
    return {row.metric: row.value for row in rows}


def test_rubbish_is_what_is_taken_for_a_class_with_more_than_half_of_the_probability():
    # Softmax maxima: 1/3 (flat), e^2 / (e^2 + 2), e^3 / (e^3 + 2), both of the latter for class 1.
    found = by_metric(rubbish([cell([[0, 0, 0], [0, 2, 0], [0, 3, 0]])]))

    assert found["rubbish_error"] == pytest.approx(2 / 3)
    sure = [np.exp(2) / (np.exp(2) + 2), np.exp(3) / (np.exp(3) + 2)]
    assert found["rubbish_confidence"] == pytest.approx(np.mean(sure), rel=1e-6)
    assert found["most_frequent_class"] == 1
    assert "rubbish_error_in_range" not in found


def test_the_images_as_drawn_count_and_those_in_range_stand_beside_them():
    found = by_metric(rubbish([cell([[0, 0, 0], [0, 0, 0]], exact=[[9, 0, 0], [0, 9, 0]])]))

    assert (found["rubbish_error"], found["rubbish_error_in_range"]) == (1, 0)
    assert found["most_frequent_class"] == 0.5


def test_a_network_with_own_probabilities_may_be_sure_of_no_class():
    logits = [[-0.1, -9, -9], [-5, -9, -9]]  # softmax would be near 1 for both

    assert by_metric(rubbish([cell(logits)]))["rubbish_error"] == 1
    assert by_metric(rubbish([cell(logits, entry="rbf")], own_probabilities=["rbf"]))["rubbish_error"] == 0.5


def test_where_no_image_is_taken_for_a_class_there_is_no_confidence():
    assert set(by_metric(rubbish([cell([[0, 0, 0]])]))) == {"rubbish_error"}


def test_images_that_show_something_are_refused():
    with pytest.raises(ValueError, match="1 images have a class"):
        rubbish([cell([[0, 0, 0]], labels=2)])
