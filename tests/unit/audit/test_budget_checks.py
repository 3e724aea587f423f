"""Attacked sets in evidence are compared with the budgets of all parts of their attack."""

import numpy as np
import pytest

from touchstone.audit.budget_checks import check_rows, compare
from touchstone.audit.problems import RECOMPUTATION, Result
from touchstone.records import encoding
from touchstone.records.nouns import ExampleSet, Scores

GREY = np.full((2, 1, 2, 2), 51 / 255, np.float32)
PGD, FGSM = {"use": "attacks/pgd", "eps": 0.05, "norm": "linf"}, {"use": "attacks/fgsm", "eps": 0.1}
NESTED = {"use": "attacks/worst_of", "attacks": [PGD, FGSM | {"clip": True}]}


def small_set(images, unquantised=None):
    return ExampleSet(images, np.array([0, 1]), np.array([0, 1]), "test", unquantised=unquantised)


@pytest.mark.parametrize(
    ("attacked", "message"),
    [
        (small_set(1 - GREY), r"its images changed row 0 by 0\.6 \(linf\), more than eps 0\.1"),
        (small_set(GREY, GREY + np.float32(0.11)), r"its float images changed row 0 by 0\.11 \(linf\)"),
        (small_set(GREY, GREY - np.float32(0.21)), "its float images left the pixel range"),
    ],
)
def test_an_attack_made_of_others_is_refused_outside_the_budgets_of_all_of_them(attacked, message):
    with pytest.raises(ValueError, match=message):
        compare(attacked, small_set(GREY), NESTED)


def test_an_attack_made_of_others_is_within_the_budget_of_any_of_them():
    assert compare(small_set(GREY + np.float32(25 / 255)), small_set(GREY), NESTED)


def test_an_attack_made_of_others_is_free_if_one_of_them_is():
    free = NESTED | {"attacks": [PGD, {"use": "attacks/carlini_wagner"}]}

    assert not compare(small_set(1 - GREY), small_set(GREY), free)


def test_float_images_that_are_not_clipped_may_leave_the_range_but_not_the_budget():
    unclipped = NESTED | {"attacks": [FGSM | {"eps": 0.3, "clip": False}]}

    assert compare(small_set(GREY * 0, GREY - np.float32(0.29)), small_set(GREY), unclipped)
    with pytest.raises(ValueError, match=r"its float images changed row 0 by 0\.31 \(linf\), more than eps 0\.3"):
        compare(small_set(GREY * 0, GREY - np.float32(0.31)), small_set(GREY), unclipped)


def test_labels_that_are_text_in_place_of_an_array_are_a_finding():
    """No constructor refuses them, so the first who reads them gets an AttributeError."""
    stated = encoding.decode(encoding.encode(Scores(np.zeros(2), np.arange(2), "forged")), Scores)
    result = Result()

    with result.reading(RECOMPUTATION, "scores.safetensors", "recomputed, it differs"):
        check_rows("labels", stated.labels, np.zeros(2, np.int64))

    assert [problem.file for problem in result.problems] == ["scores.safetensors"]
