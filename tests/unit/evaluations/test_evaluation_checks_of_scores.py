"""Checks of attacks on a detector's score, on scores made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.checks import checks
from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.nouns import Cell, Scores

ROWS = 200


def cells(auroc, attack="score", knows=True, use="adaptive/score_pgd", **settings):
    """Scores under one attack of known images and of two OOD sets, whose mean AUROC is that of the argument."""
    settings = {"use": use, "eps": 0.05, "steps": 10} | settings
    place = {"entry": "aloe", "seed": 0, "detector": "msp", "attack": attack, "settings": settings}
    place["victim"] = "aloe.0+msp@0.05" if knows else "aloe.0"
    ids, none = np.arange(ROWS), np.full(ROWS, -1)

    def cell(examples, above):
        scores = np.where(ids < round(above * ROWS), 1.0, -1.0) if examples != "clothes" else np.zeros(ROWS)
        return Cell(Scores(scores, ids, none), f"{attack}/{examples}", examples=examples, **place)

    return [cell("clothes", 0), cell("faces", auroc + 0.05), cell("noise", auroc - 0.05)]


SOUND = {
    "small": cells(0.9, "small", eps=0.02),
    "score": cells(0.6),
    "large": cells(0.2, "large", eps=0.2),
    "doubled": cells(0.595, "doubled", steps=20),
    "transfer": cells(0.8, "transfer", knows=False, use="attacks/softmax_transfer"),
    "queries": cells(0.85, "queries", use="adaptive/joint_spsa"),
    "other": cells(0.7, "other", use="adaptive/mimicry"),
}
CHECKED = ["small", "score", "large"]


def rows_of(attacks, checked=CHECKED):
    scores = [cell for under in attacks.values() for cell in under]
    return checks([], scores, [], id_examples="clothes", checked=checked)


def verdicts(attacks):
    rows = [row for row in rows_of(attacks) if row.metric.endswith("_passed")]
    return {(row.examples.rpartition("/")[2], row.metric.removesuffix("_passed")): row.value for row in rows}


def test_a_sound_attack_passes_every_check():
    assert verdicts(SOUND) == {
        ("small", "rise_with_eps"): 1,
        ("score", "change_with_doubled_steps"): 1,
        ("score", "worse_than_oblivious"): 1,
        ("score", "worse_than_black_box"): 1,
        ("score", "worse_than_another_attack"): 1,
    }


@pytest.mark.parametrize(
    ("attack", "check", "name", "broken"),
    [
        ("small", "rise_with_eps", "large", cells(0.7, "large", eps=0.2)),
        ("score", "change_with_doubled_steps", "doubled", cells(0.5, "doubled", steps=20)),
        (
            "score",
            "worse_than_oblivious",
            "transfer",
            cells(0.5, "transfer", knows=False, use="attacks/softmax_transfer"),
        ),
        ("score", "worse_than_black_box", "queries", cells(0.5, "queries", use="adaptive/joint_spsa")),
        ("score", "worse_than_another_attack", "other", cells(0.5, "other", use="adaptive/mimicry")),
    ],
)
def test_each_weakness_fails_its_check_only(attack, check, name, broken):
    found = verdicts(SOUND | {name: broken})

    assert {place for place, passed in found.items() if not passed} == {(attack, check)}


def test_the_value_is_the_difference_of_mean_aurocs():
    broken = SOUND | {"transfer": cells(0.5, "transfer", knows=False, use="attacks/softmax_transfer")}

    (row,) = [row for row in rows_of(broken) if row.metric == "worse_than_oblivious"]

    assert row.value == pytest.approx(0.1) and (row.entry, row.examples) == ("aloe+msp", "mean_of_sets/score")


def test_a_failed_check_marks_the_auroc_under_that_attack():
    rows = rows_of(SOUND | {"doubled": cells(0.4, "doubled", steps=20)})
    one = next(row for row in rows if row.examples == "mean_of_sets/score")

    assert "twice the steps" in Doubts(rows).about(replace(one, metric="auroc_both_mean"))


def test_nothing_to_check_is_refused():
    with pytest.raises(ValueError, match="no score was attacked by score and by another attack"):
        rows_of({"score": SOUND["score"]}, ["score"])


def test_an_attack_on_no_ood_set_is_refused_by_name():
    with pytest.raises(ValueError, match=r"no attacked scores of aloe\.0 and msp under score on an OOD set"):
        rows_of({"score": SOUND["score"][:1], "transfer": SOUND["transfer"]})
