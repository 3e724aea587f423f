from dataclasses import replace

import pytest

import synthetic_study
from touchstone.evaluations.evasion import evasion
from touchstone.evaluations.margins import margins
from touchstone.evaluations.robustness import robustness
from touchstone.evaluations.routing import routing
from touchstone.evaluations.translation import translation
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import Metrics
from touchstone.report.headlines import headlines
from touchstone.report.matrices import matrices
from touchstone.report.tables import Numbers, numbered

STUDY = vars(synthetic_study)
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


@pytest.mark.parametrize("order", [1, -1])
def test_the_clean_inputs_of_evasion_are_those_that_were_attacked(numbers_of, order):
    rows = numbers_of(evasion).rows
    others = [
        replace(one, value=0.8, examples="other") for one in rows if one.metric.startswith("flagged_rate_at_0.05")
    ]

    (table,) = headlines(Numbers([*rows, *others][::order]))

    assert table.lines[0].numbers[0].value < 0.8


def together(numbers, eps):
    """Return the rows of an evaluation with this eps, and that of the worst of both attacks, which is a little worse."""
    rows = [one for one in numbers.rows if one.metric.startswith(("evasion_rate_at_0.05", "flagged_rate_at_0.05"))]
    rows = [
        replace(one, threat=replace(one.threat, budget=(("eps", eps),)) if one.threat.use else one.threat)
        for one in rows
    ]
    attacked = [one for one in rows if one.is_mean and one.threat.use and one.entry == "cnn+energy"]
    worst = max(attacked, key=lambda one: one.value)
    attacks = ("cnn+energy@0.05/adaptive", "mlp/fgsm", "pgd")
    threat = Threat("white-box adaptive", worst_of=attacks, norm="linf", budget=(("eps", eps),))
    return [*rows, replace(worst, value=worst.value + 0.01, threat=threat, examples=f"digits_test/worst_linf@{eps}")]


def test_evasion_is_headed_by_all_attackers_together_and_by_each_budget_if_there_are_several(numbers_of):
    rows = together(numbers_of(evasion), 0.1)

    (table,) = headlines(Numbers(rows))
    (of_budgets,) = headlines(Numbers([*together(numbers_of(evasion), 0.2), *rows]))

    assert table.columns == ("clean inputs flagged", "oblivious", "all attackers together")
    assert table.lines[0].numbers[2].label == "the worst of adaptive, mlp/fgsm, pgd"
    assert of_budgets.columns == ("clean inputs flagged", "linf eps 0.1", "linf eps 0.2")
    assert [number.value for number in of_budgets.lines[0].numbers[1:]] == [table.lines[0].numbers[2].value] * 2


def test_routing_is_headed_by_each_budget_if_there_are_several(numbers_of):
    numbers = numbers_of(routing)
    attacked = [one for one in numbers.rows if one.threat.eps]
    weaker = [
        replace(one, value=one.value + 0.1, threat=replace(one.threat, budget=(("eps", 0.01),))) for one in attacked
    ]

    (of_one,) = headlines(numbers)
    assert of_one.columns == ("clean", "oblivious", "white-box", "all attackers together", "clean images translated")
    assert of_one.lines[0].numbers[3].label == "the worst of cnn/fgsm, cnn/pgd, fgsm, pgd"
    (of_two,) = headlines(Numbers([*numbers.rows, *weaker]))

    assert of_two.columns == ("clean", "linf eps 0.01", "linf eps 0.1", "clean images translated")
    lowest = min(number.value for number in of_one.lines[0].numbers[1:-1])
    assert [number.value for number in of_two.lines[0].numbers[1:3]] == pytest.approx([lowest + 0.1, lowest])


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
