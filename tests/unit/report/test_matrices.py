from dataclasses import replace

import synthetic_study
from touchstone.evaluations.attacked_detection import attacked_detection
from touchstone.evaluations.detection import detection
from touchstone.report.matrices import matrices
from touchstone.report.tables import Numbers

STUDY = vars(synthetic_study)
value = STUDY["value_of"]


def test_the_matrix_shows_every_detector_and_marks_one_per_classifier_and_set(numbers_of):
    (table,) = matrices(numbers_of(detection))

    assert len(table.lines) == 6
    marked = [sum(line.numbers[0].best for line in table.lines[half : half + 3]) for half in (0, 3)]
    assert marked == [1, 1]


def test_detectors_trained_on_anomalies_are_never_ranked_with_the_others(numbers_of):
    numbers = numbers_of(detection)

    others, trained = matrices(numbers, supervised={"mahalanobis"})

    assert [line.words for line in trained.lines] == [("cnn+mahalanobis",), ("cnn_pgd+mahalanobis",)]
    assert all(line.numbers[0].best for line in trained.lines)
    assert len(others.lines) == 4


def test_attacked_detection_opens_with_clean_and_attacked_and_each_set_below(numbers_of):
    numbers = numbers_of(attacked_detection)

    sides, sets = matrices(numbers)

    assert sides.columns == ("clean", "both attacked")
    assert sets.columns == ("photographs", "uniform", "mean_of_sets")
    line = next(line for line in sides.lines if line.words[:2] == ("cnn+msp", "score_5"))
    assert line.numbers[1].value == value(numbers, "auroc_both_mean", "cnn+msp", "mean_of_sets/score_5")
    assert line.words[2] == "white-box adaptive"


def test_where_attackers_were_stuck_the_table_says_so(numbers_of):
    rows = numbers_of(attacked_detection).rows
    place = {"entry": "cnn+msp", "examples": "mean_of_sets/score_5", "metric": "no_score_gradient"}
    like = next(row for row in rows if row.examples == place["examples"] and row.seed is not None)

    sides, _ = matrices(Numbers([*rows, replace(like, **place, value=0.75)]))

    assert sides.columns[-1] == "OOD images left without a gradient" and "upper bounds" in sides.caption
    shares = {line.words[:2]: line.numbers[-1] for line in sides.lines}
    assert shares["cnn+msp", "score_5"].value == 0.75
    assert shares["cnn_pgd+msp", "score_5"] is None
