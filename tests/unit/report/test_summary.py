"""The first screen of an assay: the worst attack, the best detector against an attacker who knows it, failed checks."""

from dataclasses import replace

import pytest

from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.metric_rows import parse_threat
from touchstone.records.metric_tables import MetricRow
from touchstone.report.summary import in_levels, summary


def row(metric, value, examples="mine", entry="own", threat="none", line=2, evaluation="e"):
    return MetricRow(
        evaluation, entry, examples, metric, value, "share", value - 0.1, value + 0.1, 50, None, None,
        parse_threat(threat), ("file",), line,
    )  # fmt: skip


WHITE = "white-box linf eps=0.0313725 steps=20 (pgd)"
ROWS = [
    row("clean_accuracy", 0.9),
    row("clean_accuracy", 0.8, "others"),
    row("robust_accuracy", 0.5, "mine/pgd", threat=WHITE),
    row("robust_accuracy", 0.3, "mine/worst", threat=WHITE),
    row("clean_accuracy", 0.9, evaluation="curve"),
    row("robust_accuracy", 0.7, "mine/half", threat=WHITE.replace("0.0313725", "0.0156863"), evaluation="curve"),
    row("robust_accuracy", 0.1, "mine/large", threat=WHITE.replace("0.0313725", "0.5"), evaluation="curve"),
    row("evasion_rate_at_0.05", 0.2, "mine/pgd", "own+msp", "oblivious linf eps=0.0313725 (pgd)"),
    row("evasion_rate_at_0.05", 0.6, "mine/adaptive", "own+msp", WHITE),
    row("evasion_rate_at_0.05", 0.4, "mine/adaptive", "own+knn", WHITE),
    row("loss_rises_passed", 1.0, "mine/pgd", threat=WHITE),
]


def test_the_first_screen_has_the_worst_attack_of_the_budget_and_the_best_detector_against_who_knows_it():
    screen = summary(ROWS, Doubts(ROWS))

    assert [line.numbers[0].value for line in screen.table.lines] == [0.9, 0.3, 0.4]
    assert [line.numbers[0].label for line in screen.table.lines] == ["", "worst", "adaptive"]
    assert "linf eps 8/255" in screen.table.lines[1].words[0]
    assert "knn" in screen.table.lines[2].words[0]
    assert screen.table.lines[1].numbers[0].interval
    assert screen.checks == "The attacks passed all 1 checks."


def test_of_several_networks_the_first_screen_has_the_mean_that_gets_past_the_detector_and_not_the_worst_seed():
    past = [replace(row("evasion_rate_at_0.05", value, "mine/adaptive", "own+msp", WHITE), seed=seed)
            for seed, value in enumerate((0.1, 0.6))]  # fmt: skip
    mean = replace(past[0], metric="evasion_rate_at_0.05_mean", value=0.35, seed=None, seeds=(0, 1))
    rows = [*ROWS[:4], *past, mean]

    assert summary(rows, Doubts(rows)).table.lines[-1].numbers[0].value == 0.35


def test_what_gets_past_a_router_is_not_shown_as_past_a_detector():
    rows = [*ROWS, row("evasion_rate_at_0.05", 0.01, "mine/worst", "routed", WHITE)]

    assert summary(rows, Doubts(rows)) == summary(ROWS, Doubts(ROWS))


def test_each_budget_of_the_evaluation_has_a_line_and_a_union_of_attacks_comes_before_one_of_them():
    both = "white-box, the worst of pgd, worst, linf eps=0.0313725"
    rows = [
        *ROWS[:4],
        row("robust_accuracy", 0.1, "mine/large", threat=WHITE.replace("0.0313725", "0.2")),
        row("robust_accuracy_union", 0.3, "mine/union_linf@0.0313725", threat=both),
    ]

    screen = summary(rows, Doubts(rows))

    lines = [(line.words[0].partition(", ")[2], *line.numbers) for line in screen.table.lines]
    assert [(words, number.value, number.label) for words, number in lines[1:]] == [
        ("linf eps 8/255", 0.3, "the worst of pgd, worst"),
        ("linf eps 0.2", 0.1, "large"),
    ]


def test_a_failed_check_is_named_in_words():
    rows = [*ROWS, row("rise_with_eps_passed", 0.0, "mine/pgd", threat=WHITE)]

    assert "do not trust what they left: more is left at a larger eps, by." in summary(rows, Doubts(rows)).checks


def test_nothing_is_summed_up_of_several_classifiers_or_without_an_attack_that_knew_the_model():
    two = [*ROWS, row("robust_accuracy", 0.2, "mine/pgd", "another", WHITE)]
    blind = [row("clean_accuracy", 0.9), row("robust_accuracy", 0.5, "mine/pgd", threat="transfer linf eps=0.1 (pgd)")]

    assert summary(two, Doubts(two)) is None
    assert summary(blind, Doubts(blind)) is None


@pytest.mark.parametrize(("eps", "text"), [
    (8 / 255, "8/255"), (0.0313725, "8/255"), (0.2, "0.2"), (0.1, "0.1"), (0.03, "0.03"), (1 / 255, "1/255"), (0.0123, "0.0123"),
])  # fmt: skip
def test_a_budget_of_whole_levels_is_written_as_such(eps, text):
    assert in_levels(eps) == text
