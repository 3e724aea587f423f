import runpy
from dataclasses import replace
from pathlib import Path

import pytest

from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.margins import margins
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.translation import translation
from touchstone.records.metric_tables import Metrics
from touchstone.report.headlines import headlines
from touchstone.report.matrices import matrices
from touchstone.report.tables import Numbers, numbered

STUDY = runpy.run_path(str(Path(__file__).parents[2] / "synthetic_study.py"))
value = STUDY["value_of"]


def test_accuracy_is_headed_by_the_union_or_the_strongest_attack_of_each_budget(numbers_of):
    numbers = numbers_of(robustness)

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


def test_evasion_is_headed_by_the_strongest_attacker_of_each_kind_at_5_percent(numbers_of):
    numbers = numbers_of(evasion)

    (table,) = headlines(numbers)

    assert table.columns == ("clean inputs flagged", "oblivious")
    assert "5% FPR" in table.caption
    flagged, worst = table.lines[0].numbers
    assert flagged.value == value(numbers, "flagged_rate_at_0.05_mean", "cnn+energy", "digits_test")
    assert worst.value == max(
        value(numbers, "evasion_rate_at_0.05_mean", "cnn+energy", f"digits_test/{attack}") for attack in ("fgsm", "pgd")
    )


def test_margins_are_headed_by_median_tau_and_share_not_found(numbers_of):
    (table,) = headlines(numbers_of(margins))

    assert table.columns == ("median margin (pixels)", "Kendall's tau", "not found")
    assert len(table.lines) == 2 and all(line.numbers[1] for line in table.lines)


def test_translation_is_headed_by_accuracy_before_and_after(numbers_of):
    numbers = numbers_of(translation)

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
