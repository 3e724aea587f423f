"""What an assay has found, for programs and for people."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from touchstone.assay.outcome import Measured, Outcome, of_rows
from touchstone.assay.run_assay import TOO_LOW, written
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.records.metric_rows import ADAPTIVE, WHITE_BOX, MetricRow, Threat

ABOUT = {"model": "net.pt2", "data": "pictures", "eps": "8/255"}


def row(
    metric,
    value,
    examples="own_attacked/worst",
    entry="own_model",
    evaluation="robustness",
    knows=WHITE_BOX,
    eps=8 / 255,
):
    return MetricRow(
        evaluation=evaluation, entry=entry, examples=examples, metric=metric, value=value, unit="fraction",
        low=value - 0.1, high=value + 0.1, n=100, base_rate=None, seed=None, files=(),
        threat=Threat(knowledge=knows, norm="linf", budget=(("eps", eps),), use="attack_suite"),
    )  # fmt: skip


ROWS = [
    row("clean_accuracy", 0.9, examples="own_attacked", knows="none"),
    row("robust_accuracy", 0.5, examples="own_attacked/pgd"),
    row("robust_accuracy", 0.4),
    row("robust_accuracy", 0.2, eps=16 / 255, examples="own_attacked/published"),
    row("robust_accuracy", 0.1, evaluation="eps_curve"),
    *(
        row("evasion_rate_at_0.05", value, entry=f"own_model+{detector}", evaluation="evasion", knows=ADAPTIVE)
        for detector, value in (("msp", 0.6), ("msp", 0.7), ("knn", 0.5))
    ),
]


def test_the_numbers_are_those_of_the_worst_attack_at_the_budget_and_of_the_best_detector():
    found = of_rows(ROWS, 8 / 255, ABOUT, ("weaker suite",)).as_dict()

    assert (found["clean_accuracy"]["value"], found["robust_accuracy"]["value"]) == (0.9, 0.4)
    assert found["evasion_rate"]["value"] == 0.5 and "knn" in found["evasion_rate"]["what"]
    assert found["images"] == 100 and found["notes"] == ["weaker suite"] and found["can_be_trusted"] is True


def outcome(robust=0.4, checks=(), bound=None):
    numbers = {
        "clean_accuracy": Measured("accuracy on clean images", Interval(0.9, 0.8, 0.95)),
        "robust_accuracy": Measured("accuracy under the worst attack", Interval(robust, 0.3, 0.5)),
    }
    return Outcome(ABOUT | {"images": 100}, numbers, checks, bound=bound)


@pytest.mark.parametrize(("bound", "said"), [(0.4, "met."), (0.5, "not met, robust accuracy 0.400 is below 0.5.")])
def test_a_bound_is_in_the_files_with_the_rule_that_judges_it(bound, said):
    found = outcome(bound=bound)

    assert f"- --fail-under {bound}: {said} The value is judged, not its interval." in found.as_markdown()
    assert found.as_dict()["fail_under"]["bound"] == bound
    assert found.as_dict()["fail_under"]["met"] is (bound == 0.4)
    assert "fail_under" not in outcome().as_dict()


@pytest.mark.parametrize(("low", "doubted"), [(0.09, True), (0.11, False)])
def test_a_clean_accuracy_that_guessing_may_reach_is_doubted(low, doubted):
    numbers = outcome().numbers | {"clean_accuracy": Measured("accuracy on clean images", Interval(0.15, low, 0.2))}
    found = Outcome(ABOUT | {"images": 100, "classes": 10}, numbers, notes=("weaker",))

    doubt = "not above that of guessing, 10.0 %"
    for shown in (found.as_dict()["notes"][0], found.as_markdown(), "\n".join(found.lines())):
        assert (doubt in shown) is doubted
    assert found.as_dict()["notes"][-1] == "weaker"


def test_failed_checks_are_in_every_form():
    failed = of_rows([*ROWS, row("worse_than_black_box_passed", 0.0, evaluation="attack_checks")], 8 / 255, ABOUT, ())

    assert failed.as_dict()["can_be_trusted"] is False and failed.as_dict()["failed_checks"]
    assert failed.failed_checks[0] in failed.as_markdown() and failed.failed_checks[0] in "\n".join(failed.lines())


def test_failed_checks_of_the_evasion_stand_beside_its_rate_and_say_nothing_of_the_robust_accuracy():
    failed = row("evades_less_than_oblivious_passed", 0.0, entry="own_model+knn", evaluation="evasion", knows=ADAPTIVE)
    found = of_rows([*ROWS, failed], 8 / 255, ABOUT, ())

    assert found.can_be_trusted and not found.failed_checks and not replace(found, bound=0.4).shortfall
    assert "evasion rate may be too low" in found.as_markdown() and "ignores the defence does" in found.notes[0]


def compared(second=0.5):
    numbers = {
        "robust_accuracy": Measured("first", Interval(0.4, 0.3, 0.5)),
        "robust_accuracy_against": Measured("second", Interval(second, 0.3, 0.6)),
    }
    return Outcome(ABOUT | {"images": 100, "against": "old.pt2"}, numbers, failed_checks_against=("masked",))


def test_each_of_two_models_is_doubted_by_its_own_checks():
    assert compared().can_be_trusted and not replace(compared(), bound=0.4).shortfall
    for shown in (compared().as_markdown(), "\n".join(compared().lines())):
        assert "Do not trust the robust accuracy of old.pt2 above 0" in shown and "of net.pt2 above" not in shown
    assert "Do not trust" not in compared(second=0.0).as_markdown()


@pytest.mark.parametrize(
    ("found", "asked", "code"),
    [
        (outcome(), 0.4, 0),
        (outcome(), 0.41, TOO_LOW),
        (outcome(checks=("masked",)), 0.1, TOO_LOW),
        (outcome(), None, 0),
    ],
)
def test_the_exit_code_says_whether_the_model_is_as_robust_as_asked(found, asked, code, tmp_path, capsys):
    options = SimpleNamespace(json=str(tmp_path / "out.json"), markdown=str(tmp_path / "out.md"), fail_under=asked)

    assert written(found, options) == code
    assert bool(capsys.readouterr().err) == bool(code)
    assert json.loads((tmp_path / "out.json").read_text())["robust_accuracy"]["value"] == 0.4
    assert "| accuracy under the worst attack | 40.0 % | [30.0, 50.0] |" in (tmp_path / "out.md").read_text()
