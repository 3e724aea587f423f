from dataclasses import replace

import numpy as np
import pytest

from touchstone.evaluations.evasion import evasion
from touchstone.records.nouns import Cell, Detector, ExampleSet, Outputs, Scores

PGD = {"use": "pgd", "eps": 0.1}
PLACE = {"entry": "cnn", "seed": 0, "examples": "digits"}
NOUN = Detector({}, {"use": "energy"}, {"0.05": 2.0, "0.01": 3.0}, spread=1.0, supervised=False)
DETECTOR = Cell(NOUN, "detector", "cnn", 0, detector="energy")
CALIBRATION = [
    Cell(
        Scores(np.arange(4.0), np.arange(4), np.zeros(4, np.int64)), "calibration", "cnn", 0, "held", detector="energy"
    )
]


def attacked(victim):
    return {"attack": "pgd", "victim": victim, "settings": PGD} if victim else {}


def outputs(right, victim="", order=slice(None)):
    predictions = np.where(np.array(right, bool), 0, 1)[order]
    noun = Outputs(np.eye(2, dtype=np.float32)[predictions], np.zeros(4, np.int64), np.arange(4)[order])
    return Cell(noun, f"outputs{victim}", **PLACE, **attacked(victim))


def scores(values, victim=""):
    noun = Scores(np.array(values, dtype=float), np.arange(4), np.zeros(4, np.int64))
    return Cell(noun, f"scores{victim}", detector="energy", **PLACE, **attacked(victim))


def test_wrong_and_not_flagged_is_counted_row_by_row_at_each_threshold():
    given = [outputs([1, 0, 0, 0], "cnn.0", order=[3, 1, 0, 2])], [scores([0.0, 1.0, 2.0, 2.5], "cnn.0")]

    found = {row.metric: row for row in evasion(*given, [DETECTOR], [], CALIBRATION)}

    assert found["evasion_rate_at_0.05"].value == 0.5  # a score equal to the threshold is not flagged
    assert found["evasion_rate_at_0.01"].value == 0.75
    assert found["wrong_rate"].value == 0.75
    assert str(found["evasion_rate_at_0.05"].threat) == "oblivious linf eps=0.1 (pgd)"
    assert " ".join(found["evasion_rate_at_0.05"].files) == "scorescnn.0 outputscnn.0 detector calibration"


def test_an_attack_on_classifier_and_detector_together_is_adaptive():
    victim = "cnn.0+energy@0.05"

    rows = evasion([outputs([0] * 4, victim)], [scores([0.0] * 4, victim)], [DETECTOR], [], CALIBRATION)

    assert {str(row.threat) for row in rows} == {"white-box adaptive to energy@0.05 linf eps=0.1 (pgd)"}
    assert {row.examples for row in rows} == {"digits/cnn+energy@0.05/pgd"}


def test_clean_sets_give_the_false_positive_rate_that_was_got():
    rows = evasion([outputs([1, 1, 1, 0])], [scores([0.0, 1.0, 2.5, 9.0])], [DETECTOR], [], CALIBRATION)

    found = {row.metric: row.value for row in rows}
    assert found == {"flagged_rate_at_0.05": 0.5, "flagged_rate_at_0.01": 0.25, "wrong_rate": 0.25}


def test_scores_without_their_detector_and_detectors_without_calibration_scores_are_refused():
    given = [outputs([1] * 4)], [scores([0.0] * 4)]

    with pytest.raises(ValueError, match=r"^scores: detector energy of cnn\.0 is not given"):
        evasion(*given, [], [], [])
    with pytest.raises(ValueError, match=r"calibration scores of detector energy of cnn\.0: none is given"):
        evasion(*given, [DETECTOR], [], [])


def test_the_worst_over_attacks_counts_an_input_that_any_of_them_got_past():
    """The oblivious attack gets row 1 past, the adaptive one row 2: half of the four, where each alone has a quarter."""
    victim = "cnn.0+energy@0.05"
    given = (
        [outputs([1, 0, 0, 1], "cnn.0"), outputs([1, 1, 0, 0], victim, order=[2, 3, 0, 1])],
        [scores([0.0, 1.0, 9.0, 0.0], "cnn.0"), scores([0.0, 0.0, 1.0, 9.0], victim)],
    )

    found = {(row.examples, row.metric): row for row in evasion(*given, [DETECTOR], [], CALIBRATION)}

    worst = found["digits/worst", "evasion_rate_at_0.05"]
    assert worst.value == 0.5
    assert str(worst.threat) == "white-box adaptive, the worst of cnn+energy@0.05/pgd, pgd, linf eps=0.1"
    assert found["digits/worst", "wrong_rate"].value == 0.75  # row 0 resists both
    assert " ".join(worst.files) == f"scorescnn.0 scores{victim} detector calibration"
    assert found["digits/cnn+energy@0.05/pgd", "evasion_rate_at_0.05"].value == 0.25


@pytest.mark.parametrize(("aware", "passed"), [([1, 1, 0, 0], 1.0), ([1, 1, 1, 1], 0.0)])
def test_an_attack_that_knows_the_detector_must_not_lose_to_one_that_ignores_it(aware, passed):
    victim = "cnn.0+energy@0.05"
    given = (
        [outputs([1, 0, 1, 1], "cnn.0"), outputs(aware, victim)],
        [scores([0.0] * 4, "cnn.0"), scores([0.0] * 4, victim)],
    )

    found = {(row.examples, row.metric): row.value for row in evasion(*given, [DETECTOR], [], CALIBRATION)}

    place = "digits/cnn+energy@0.05/pgd"
    assert found[place, "evades_less_than_oblivious_passed"] == passed
    assert found[place, "evades_less_than_oblivious"] == (0.25 if passed == 0 else -0.25)


def test_attacks_of_other_budgets_are_no_part_of_the_worst():
    victim, wider = "cnn.0+energy@0.05", PGD | {"eps": 0.3}
    given = (
        [outputs([0] * 4, "cnn.0"), outputs([1] * 4, victim)],
        [scores([0.0] * 4, "cnn.0"), scores([0.0] * 4, victim)],
    )
    given = [[replace(side[0], settings=wider), side[1]] for side in given]

    assert "digits/worst" not in {row.examples for row in evasion(*given, [DETECTOR], [], CALIBRATION)}


def test_each_of_several_budgets_has_a_worst_of_its_own():
    victim = "cnn.0+energy@0.05"
    cells = []
    for eps, right in ((0.1, [0, 1, 1, 1]), (0.3, [0, 0, 0, 1])):
        settings = {"settings": PGD | {"eps": eps}, "attack": f"pgd_{eps:g}"}
        cells += [(replace(outputs([1] * 4, "cnn.0"), **settings), replace(scores([0.0] * 4, "cnn.0"), **settings))]
        cells += [(replace(outputs(right, victim), **settings), replace(scores([0.0] * 4, victim), **settings))]
    given = [list(side) for side in zip(*cells, strict=True)]

    rows = evasion(*given, [DETECTOR], [], CALIBRATION)

    rates = {
        row.examples: row.value for row in rows if row.metric == "evasion_rate_at_0.05" and "worst" in row.examples
    }
    assert rates == {"digits/worst_linf@0.1": 0.25, "digits/worst_linf@0.3": 0.75}


def test_the_share_of_images_whose_score_has_no_gradient_is_told_of_adaptive_attacks():
    victim = "cnn.0+energy@0.05"
    notes = {"no_score_gradient": 0.5, "no_score_gradient_clean": 0.25, "licence": "none"}
    images = ExampleSet(np.zeros((4, 1, 1, 1), np.float32), np.zeros(4, np.int64), np.arange(4), "made up", notes)
    cell = Cell(images, "attacked", **PLACE, **attacked(victim))

    rows = evasion([outputs([0] * 4, victim)], [scores([0.0] * 4, victim)], [DETECTOR], [cell], CALIBRATION)

    found = {row.metric: row for row in rows if "gradient" in row.metric}
    assert {name: row.value for name, row in found.items()} == {
        "no_score_gradient": 0.5, "no_score_gradient_clean": 0.25,
    }  # fmt: skip
    row = found["no_score_gradient"]
    assert (row.entry, row.examples, " ".join(row.files)) == (
        "cnn+energy", "digits/cnn+energy@0.05/pgd", "attacked"
    )  # fmt: skip


@pytest.mark.parametrize("victim", ["", "cnn.0", "cnn.0+energy@0.05"])
def test_rates_at_a_threshold_vary_with_the_images_that_gave_it(victim):
    """All four scores lie between the thresholds that resampled calibration images give."""
    given = [outputs([0] * 4, victim)], [scores([2.2, 2.3, 2.4, 2.5], victim)], [DETECTOR], []
    alike = replace(CALIBRATION[0], noun=replace(CALIBRATION[0].noun, scores=np.full(4, 2.0)))

    moving, still = (
        {row.metric: row.image_variance for row in evasion(*given, [cell])} for cell in (CALIBRATION[0], alike)
    )

    assert set(still.values()) == {0}  # each of the four is a hit, or none is
    assert {name for name, variance in moving.items() if variance > 0.1} == set(moving) - {"wrong_rate"}
