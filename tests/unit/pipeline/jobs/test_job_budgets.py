import numpy as np
import pytest

from touchstone.pipeline.jobs.attack_budgets import check_declared_budget
from touchstone.records.nouns import ExampleSet


def small_set(images, unquantised=None, labels=(0, 1), ids=(0, 1)):
    return ExampleSet(images, np.array(labels, np.int64), np.array(ids), "test", unquantised=unquantised)


GREY = np.full((2, 1, 2, 2), 51 / 255, np.float32)
PGD = {"use": "attacks/pgd", "eps": 0.1, "norm": "linf"}


@pytest.mark.parametrize(
    ("attacked", "message"),
    [
        (small_set(GREY + np.float32(26 / 255)), r"attacks/pgd changed row 0 by 0.10196.*more than eps 0.1"),
        (small_set(GREY, unquantised=GREY + np.float32(0.11)), "more than eps 0.1"),
        (small_set(GREY, unquantised=GREY + np.float32(0.1001)), "more than eps 0.1"),
        (small_set(GREY, unquantised=GREY - np.float32(0.21)), "left the pixel range"),
        (small_set(GREY, unquantised=GREY + np.float32(0.81)), "left the pixel range"),
        (small_set(GREY, labels=(1, 0)), "labels or the order"),
        (small_set(GREY, ids=(1, 0)), "labels or the order"),
    ],
)
def test_an_attack_that_leaves_its_budget_is_refused(attacked, message):
    with pytest.raises(ValueError, match=message):
        check_declared_budget(PGD, small_set(GREY), attacked)


def test_an_attack_within_its_budget_passes_and_one_without_a_budget_may_change_pixels_at_will():
    near, far = small_set(GREY + np.float32(25 / 255)), small_set(1 - GREY)

    check_declared_budget(PGD, small_set(GREY), near)
    check_declared_budget(PGD | {"norm": "l2", "eps": 0.25}, small_set(GREY), near)
    check_declared_budget({"use": "attacks/colour_inversion"}, small_set(GREY), far)
    check_declared_budget(PGD | {"clip": False}, small_set(GREY), small_set(GREY, unquantised=GREY - 0.3))


def test_the_budget_of_another_norm_is_measured_in_it():
    with pytest.raises(ValueError, match="l2"):
        check_declared_budget(PGD | {"norm": "l2"}, small_set(GREY), small_set(GREY + np.float32(25 / 255)))


STEP = np.float32(5 / 255)  # 0.0196, and 0.0392 in the L2 norm of an image
NESTED = {
    "use": "attacks/worst_of",
    "attacks": [
        {"use": "attacks/pgd", "eps": 0.05, "norm": "linf"},
        {"use": "attacks/highest_loss", "attacks": [{"use": "attacks/fgsm", "eps": 0.1, "clip": True}]},
    ],
}
ROUND = {"use": "attacks/mix", "attacks": [PGD | {"norm": "l2", "eps": 0.02}, PGD | {"norm": "l2", "eps": 0.03}]}


@pytest.mark.parametrize("use", ["attacks/worst_of", "attacks/highest_loss", "attacks/mix"])
@pytest.mark.parametrize(
    ("attacked", "message"),
    [
        (small_set(1 - GREY), r"changed row 0 by 0\.6 \(linf\), more than eps 0\.1"),
        (small_set(GREY, unquantised=GREY + np.float32(0.11)), "more than eps 0.1"),
        (small_set(GREY, unquantised=GREY - np.float32(0.21)), r"left the pixel range \[0, 1\]"),
    ],
)
def test_an_attack_made_of_others_is_refused_outside_the_budgets_of_all_of_them(use, attacked, message):
    with pytest.raises(ValueError, match=message):
        check_declared_budget(NESTED | {"use": use}, small_set(GREY), attacked)


def test_parts_with_an_l2_budget_are_measured_in_it():
    with pytest.raises(ValueError, match=r"changed row 0 by 0\.0392157 \(l2\)"):
        check_declared_budget(ROUND, small_set(GREY), small_set(GREY + STEP))


def test_an_attack_made_of_others_passes_within_the_budget_of_any_of_them():
    check_declared_budget(NESTED, small_set(GREY), small_set(GREY + np.float32(25 / 255)))
    both = ROUND | {"attacks": [*ROUND["attacks"], PGD | {"eps": 0.02}]}
    check_declared_budget(both, small_set(GREY), small_set(GREY + STEP))  # outside both L2 balls, inside the L-inf one


def test_an_attack_made_of_others_declares_nothing_if_one_of_them_does_not():
    free = NESTED | {"attacks": [*NESTED["attacks"], {"use": "attacks/carlini_wagner"}]}
    unclipped = NESTED | {"attacks": [*NESTED["attacks"], {"use": "attacks/fgsm", "eps": 0.1, "clip": False}]}

    check_declared_budget(free, small_set(GREY), small_set(1 - GREY))
    check_declared_budget(unclipped, small_set(GREY), small_set(GREY, unquantised=GREY - 0.3))
    with pytest.raises(ValueError, match="more than eps"):
        check_declared_budget(unclipped, small_set(GREY), small_set(1 - GREY))
