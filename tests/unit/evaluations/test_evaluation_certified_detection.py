"""Certified below attacked AUROC, on scores made by hand."""

from dataclasses import replace

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


def measured(given, rivals=(), **settings):
    asked = {"id_examples": "digits", "high": ["high"], "low": ["low"], "eps": [0.05], "resamples": 50} | settings
    return {(row.examples, row.metric): row for row in certified_detection(given, list(rivals), **asked)}


def of_a_rival(sets=("noise",), seed=0):
    """A network whose attacked scores separate little: 3 of 16 pairs are in order."""
    values = {"digits": [2.0, 3.0, 4.0, 5.0], **{name: [1.0, 1.5, 2.5, 3.5] for name in sets}}
    cells = [cell(scores, name, attack="score", seed=seed) for name, scores in values.items()]
    return [replace(one, entry="plain", victim=one.victim.replace("cnn", "plain")) for one in cells]


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


def test_the_least_difference_is_the_certified_end_minus_what_the_attack_left_of_the_rival():
    rows = measured(cells(("noise", "faces")), of_a_rival(("noise", "faces")))

    for examples in ("noise", "faces", "mean_of_sets"):
        one = rows[f"{examples}/score less plain", "certified_auroc_difference"]
        assert one.value == 8 / 16 - 3 / 16 and one.entry == "cnn+msp" and one.low < one.value < one.high
    assert "noise/score less plain" not in {examples for examples, _ in measured(cells())}


def test_a_rival_is_compared_seed_by_seed():
    given = [*cells(), *cells(seed=1)]

    both = measured(given, [*of_a_rival(), *of_a_rival(seed=1)])
    one = measured(given, of_a_rival(seed=1))

    assert both["noise/score less plain", "certified_auroc_difference_mean"].seeds == (0, 1)
    assert one["noise/score less plain", "certified_auroc_difference"].seed == 1


@pytest.mark.parametrize(
    ("given", "settings", "message"),
    [
        (cells(), {"high": []}, "as many of each"),
        (cells(), {"eps": [0.1]}, "no attacked scores at eps 0.1"),
        ([one for one in cells() if one.detector != "low"], {}, "low on clean noise"),
        ([one for one in cells() if one.examples == "noise" or not one.attack], {}, "attacked scores of digits"),
        (cells(), {"rivals": of_a_rival()[1:]}, "attacked scores of the rival plain.0 on digits"),
    ],
)
def test_what_is_missing_is_named(given, settings, message):
    with pytest.raises(ValueError, match=message):
        measured(given, **settings)


def test_an_attack_without_an_eps_has_no_bracket():
    endless = [replace(one, attack="inverted", settings={"use": "attacks/colour_inversion"}) for one in cells()[1:6:4]]

    assert measured([*cells(), *endless]).keys() == measured(cells()).keys()
