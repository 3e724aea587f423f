"""Certified below attacked AUROC, on scores made by hand."""

import numpy as np
import pytest

from touchstone.evaluations.certified_detection import certified_detection
from touchstone.records.nouns import Cell, Scores

CLEAN, MOVED, CERTIFIED = (
    ([1.0, 2.0, 3.0, 4.0], [3.5, 5.0, 6.0, 7.0]),
    ([2, 3, 4, 5], [3.5, 4.5, 6, 7]),
    ([3, 4, 5, 6], [2.5, 3.5, 5.5, 7]),
)


def cell(values, examples, detector="msp", attack="", seed=0):
    noun = Scores(np.array(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    net, settings = f"cnn.{seed}", {"use": "adaptive/score_pgd", "eps": 0.05} if attack else {}
    victim = f"{net}+{detector}@0.05" if attack else ""
    file = f"scores/{net}/{detector}/{examples}/{attack}"
    return Cell(noun, file, "cnn", seed, examples, attack, victim, detector=detector, settings=settings)


def cells(sets=("noise",), seed=0):
    found = [
        cell(CLEAN[0], "digits", seed=seed), cell(MOVED[0], "digits", attack="score", seed=seed),
        cell(CERTIFIED[0], "digits", "high", seed=seed), cell([-9.0] * 4, "digits", "low", seed=seed),
    ]  # fmt: skip
    for name in sets:
        found += [
            cell(CLEAN[1], name, seed=seed), cell(MOVED[1], name, attack="score", seed=seed),
            cell([9.0] * 4, name, "high", seed=seed), cell(CERTIFIED[1], name, "low", seed=seed),
        ]  # fmt: skip
    return found


def measured(given, **settings):
    asked = {"id_examples": "digits", "high": ["high"], "low": ["low"], "eps": [0.05], "resamples": 50} | settings
    return {(row.examples, row.metric): row for row in certified_detection(given, **asked)}


def test_the_bracket_is_counted_by_hand_from_the_high_end_of_id_and_the_low_end_of_ood():
    rows = measured(cells())

    assert rows["noise/score", "certified_auroc"].value == 8 / 16
    assert rows["noise/score", "attacked_auroc"].value == 13 / 16
    assert rows["noise/score", "bracket_width"].value == 5 / 16
    assert {row.entry for row in rows.values()} == {"cnn+msp"}
    assert "eps=0.05" in str(rows["noise/score", "certified_auroc"].threat)


def test_the_mean_over_sets_and_over_seeds_is_a_row():
    rows = measured([*cells(("noise", "faces")), *cells(("noise", "faces"), seed=1)])

    assert rows["mean_of_sets/score", "certified_auroc"].value == 8 / 16
    assert rows["mean_of_sets/score", "bracket_width_mean"].value == 5 / 16
    assert rows["mean_of_sets/score", "bracket_width_mean"].low <= 5 / 16


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (cells(), {"high": []}, "as many of each"),
        (cells(), {"eps": [0.1]}, "no attacked scores at eps 0.1"),
        ([one for one in cells() if one.detector != "low"], {}, "low on clean noise"),
        ([one for one in cells() if one.examples == "noise" or not one.attack], {}, "attacked scores of digits"),
    ],
)
def test_what_is_missing_is_named(given, settings, message):
    with pytest.raises(ValueError, match=message):
        measured(given, **settings)
