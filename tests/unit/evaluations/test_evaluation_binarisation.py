from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.binarisation import binarisation
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.nouns import Cell, ExampleSet

PGD = {"use": "attacks/pgd", "eps": 0.1, "steps": 40}
CLEAN = np.zeros((4, 1, 1, 1), np.float32)


def images(moved, order=(0, 1, 2, 3)):
    values = np.array(moved, np.float32).reshape(4, 1, 1, 1)[list(order)]
    return ExampleSet(values, np.zeros(4, np.int64), np.arange(4)[list(order)], "made up", {}, unquantised=values)


def cell(name, moved, attack=None, corners=0, victim="cnn.0", order=(0, 1, 2, 3), **settings):
    block = {"use": "attacks/binarisation", "eps": 0.1, "attack": attack, "corners": corners} | settings
    return Cell(images(moved, order), f"{victim}/{name}", "cnn", 0, "digits", name, victim, settings=block)


PLAIN = Cell(replace(images([0, 0, 0, 0]), unquantised=None), "clean", examples="digits")
SOLUTIONS = cell("planted", [0.1, 0.1, 0.1, 0])


def test_success_is_counted_among_the_images_with_a_planted_problem():
    attacked = cell("test", [0.02, 0, 0.1, 0], PGD)
    searched = cell("random", [0, 0, 0.1, 0], corners=200)

    found = {row.metric: row for row in binarisation([PLAIN, SOLUTIONS, attacked, searched])}

    assert found["planted_share"].value == 0.75 and found["planted_share"].n == 4
    assert found["planted_success_rate"].value == 2 / 3 and found["planted_success_rate"].n == 3
    assert found["random_success_rate"].value == 1 / 3
    assert found["planted_success_rate_passed"].value == 0
    assert found["random_success_rate_passed"].value == 1
    assert found["planted_success_rate"].files == ("cnn.0/test", "cnn.0/planted", "clean")


def test_an_attack_that_solves_every_planted_problem_passes():
    found = {row.metric: row for row in binarisation([PLAIN, SOLUTIONS, cell("test", [0.1, 0.1, 0.1, 0], PGD)])}

    assert found["planted_success_rate_passed"].value == 1


def test_problems_that_random_search_solves_fail():
    found = {row.metric: row for row in binarisation([PLAIN, SOLUTIONS, cell("r", [0.1, 0.1, 0, 0], corners=9)])}

    assert found["random_success_rate_passed"].value == 0


def test_images_are_joined_by_id():
    attacked = cell("test", [0.1, 0, 0, 0], PGD, order=(3, 2, 1, 0))  # image 0 comes last
    solutions = cell("planted", [0.1, 0, 0, 0], order=(1, 0, 2, 3))

    found = {row.metric: row.value for row in binarisation([PLAIN, solutions, attacked])}

    assert found["planted_success_rate"] == 1


def test_the_row_bears_the_threat_of_the_attack_under_test_so_that_its_numbers_are_marked():
    (row,) = [
        r for r in binarisation([PLAIN, SOLUTIONS, cell("t", [0] * 4, PGD)]) if r.metric == "planted_success_rate"
    ]
    assert str(row.threat) == "white-box linf eps=0.1 steps=40 (pgd)"

    rows = binarisation([PLAIN, SOLUTIONS, cell("t", [0] * 4, PGD)])
    robust = replace(row, metric="robust_accuracy", examples="digits/pgd")
    assert "planted problems" in Doubts(rows).about(robust)
    assert Doubts(rows).about(replace(robust, entry="mlp")) == ""


def test_adaptive_attacks_and_inverted_tests_are_rows_of_their_own():
    joint = {"use": "adaptive/joint_pgd", "eps": 0.1}
    victim = {"victim": "cnn.0+energy@0.05", "use": "adaptive/detector_binarisation"}
    cells = [PLAIN]
    for name, inverted, moved in (("plain", False, [0.1] * 4), ("turned", True, [0.1, 0, 0, 0])):
        cells.append(cell(name, [0.1] * 4, inverted=inverted, **victim))
        cells.append(cell(f"{name}_test", moved, joint, inverted=inverted, **victim))

    rows = [row for row in binarisation(cells) if row.metric == "planted_success_rate"]

    assert [row.value for row in rows] == [1, 0.25]
    assert {row.entry for row in rows} == {"cnn+energy"}
    assert str(rows[0].threat) == "white-box adaptive to energy@0.05 linf eps=0.1 (joint_pgd)"


def test_without_a_planted_problem_there_is_only_the_share():
    rows = binarisation([PLAIN, cell("planted", [0] * 4), cell("test", [0] * 4, PGD)])

    assert [(row.metric, row.value) for row in rows] == [("planted_share", 0.0)]


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"the solutions planted on cnn\.0: none is given"):
        binarisation([PLAIN, cell("test", [0.1] * 4, PGD)])
    with pytest.raises(ValueError, match="no problem is planted"):
        binarisation([PLAIN])
