import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from touchstone.evaluations.attacked_detection import attacked_detection
from touchstone.evaluations.detection import detection
from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.margins import margins
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.translation import translation
from touchstone.records.nouns import Metrics
from touchstone.report.headlines import headlines, matrices
from touchstone.report.tables import Numbers, numbered

STUDY = runpy.run_path(str(Path(__file__).parents[2] / "synthetic_study.py"))


@pytest.fixture(scope="module")
def asked():
    """The numbers of an evaluation of the made-up study, and its rows by what they are about."""

    def ask(question):
        cells, settings = STUDY["given"](question)
        return Numbers(numbered({"main": Metrics(question(*cells, **settings))}))

    return ask


def value(numbers, metric, entry, examples):
    (row,) = [
        row for row in numbers.rows if (row["metric"], row["entry"], row["examples"]) == (metric, entry, examples)
    ]
    return row["value"]


def test_accuracy_is_headed_by_the_union_or_the_strongest_attack_of_each_budget(asked):
    numbers = asked(robustness)

    (table,) = headlines(numbers)

    assert table.columns == ("clean", "linf eps 0.05 (pgd only)", "linf eps 0.1", "linf eps 0.2 (pgd only)")
    line = table.lines[0]
    assert line.words == ("cnn", "digits_test")
    assert [number.label for number in line.numbers] == ["", "pgd_05", "the worst of fgsm, pgd", "pgd_20"]
    assert line.numbers[0].value == value(numbers, "clean_accuracy_mean", "cnn", "digits_test")
    assert line.numbers[2].value == value(numbers, "robust_accuracy_union_mean", "cnn", "digits_test/union_linf@0.1")


def test_transfer_alone_is_headed_by_each_attack():
    cells = STUDY["output_cells"](attacks=("fgsm",), seeds=(0,), classifiers=("cnn",))
    cells = [type(cell)(**{**vars(cell), "victim": cell.victim and "mlp.0"}) for cell in cells]

    (table,) = headlines(Numbers(numbered({"main": Metrics(robustness(cells, resamples=5))})))

    assert table.caption == "Accuracy, clean and under attacks that did not know the classifier: diagnostics"
    assert table.columns == ("clean", "mlp/fgsm")


def test_detection_is_headed_by_the_best_detector_and_says_what_attackers_knew(asked):
    numbers = asked(detection)

    (table,) = headlines(numbers)

    assert table.columns == ("photographs", "uniform", "digits_test/fgsm, oblivious", "digits_test/pgd, oblivious")
    assert {line.words for line in table.lines} == {("cnn",), ("cnn_pgd",)}
    best = max(STUDY["DETECTORS"], key=lambda name: value(numbers, "auroc_mean", f"cnn+{name}", "photographs"))
    assert table.lines[0].numbers[0].label == best


def test_the_matrix_shows_every_detector_and_marks_one_per_classifier_and_set(asked):
    (table,) = matrices(asked(detection))

    assert len(table.lines) == 6
    marked = [sum(line.numbers[0].best for line in table.lines[half : half + 3]) for half in (0, 3)]
    assert marked == [1, 1]


def test_detectors_trained_on_anomalies_are_never_ranked_with_the_others(asked):
    numbers = asked(detection)

    others, trained = matrices(numbers, supervised={"mahalanobis"})
    best_others, best_trained = headlines(numbers, supervised={"mahalanobis"})

    assert [line.words for line in trained.lines] == [("cnn+mahalanobis",), ("cnn_pgd+mahalanobis",)]
    assert all(line.numbers[0].best for line in trained.lines)
    assert len(others.lines) == 4
    assert {number.label for number in best_trained.lines[0].numbers} == {"mahalanobis"}
    assert "mahalanobis" not in {number.label for line in best_others.lines for number in line.numbers}


def test_evasion_is_headed_by_the_strongest_attacker_of_each_kind_at_5_percent(asked):
    numbers = asked(evasion)

    (table,) = headlines(numbers)

    assert table.columns == ("clean inputs flagged", "oblivious")
    assert "5% FPR" in table.caption
    flagged, worst = table.lines[0].numbers
    assert flagged.value == value(numbers, "flagged_rate_at_0.05_mean", "cnn+energy", "digits_test")
    assert worst.value == max(
        value(numbers, "evasion_rate_at_0.05_mean", "cnn+energy", f"digits_test/{attack}") for attack in ("fgsm", "pgd")
    )


def test_margins_are_headed_by_median_tau_and_share_not_found(asked):
    (table,) = headlines(asked(margins))

    assert table.columns == ("median margin (pixels)", "Kendall's tau", "not found")
    assert len(table.lines) == 2 and all(line.numbers[1] for line in table.lines)


def test_translation_is_headed_by_accuracy_before_and_after(asked):
    numbers = asked(translation)

    (table,) = headlines(numbers)

    line = next(line for line in table.lines if line.words == ("cnn", "digits_test/pgd/unet"))
    before, after, gain = (number.value for number in line.numbers)
    assert before == value(numbers, "accuracy_mean", "cnn", "digits_test/pgd")
    assert after - before == pytest.approx(gain)
    assert line.note.startswith("oblivious")


def test_what_no_rule_knows_has_no_headline():
    row = replace(robustness(STUDY["output_cells"](), resamples=5)[0], metric="something_new")

    numbers = Numbers(numbered({"main": Metrics([row])}))

    assert headlines(numbers) == [] and matrices(numbers) == []


def test_attacked_detection_opens_with_the_side_that_is_attacked_and_each_set_below(asked):
    numbers = asked(attacked_detection)

    sides, sets = matrices(numbers)

    assert sides.columns == ("clean", "ID attacked", "OOD attacked", "both attacked")
    assert sets.columns == ("photographs", "uniform", "mean_of_sets")
    line = next(line for line in sides.lines if line.words[:2] == ("cnn+msp", "score_5"))
    assert line.numbers[3].value == value(numbers, "auroc_both_mean", "cnn+msp", "mean_of_sets/score_5")
    assert line.words[2] == "white-box adaptive"


def test_where_attackers_were_stuck_the_table_says_so(asked):
    rows = asked(attacked_detection).rows
    place = {"entry": "cnn+msp", "examples": "mean_of_sets/score_5", "metric": "no_score_gradient"}
    like = next(row for row in rows if row["examples"] == place["examples"] and row["seed"] is not None)

    sides, _ = matrices(Numbers([*rows, replace(like, **place, value=0.75)]))

    assert sides.columns[-1] == "OOD images left without a gradient" and "upper bounds" in sides.caption
    shares = {line.words[:2]: line.numbers[-1] for line in sides.lines}
    assert shares["cnn+msp", "score_5"].value == 0.75
    assert shares["cnn_pgd+msp", "score_5"] is None
