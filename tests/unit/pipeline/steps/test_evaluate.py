from dataclasses import replace

import pytest

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row
from touchstone.pipeline.steps.evaluate import evaluate
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Cell, ContractError

CELL = Cell(None, "file", entry="cnn", seed=0, examples="digits")
ROW = row("accuracy", Interval(0.5, 0.4, 0.6), cell=CELL, n=10, files=[CELL])


def test_rows_carry_the_name_of_the_evaluation():
    metrics = evaluate("main", lambda outputs: [ROW], [[CELL]])

    assert [row.evaluation for row in metrics.rows] == ["main"]


def test_cells_reach_the_question_in_the_order_of_its_nouns():
    seen = []

    evaluate("main", lambda scores, outputs: seen.append((scores, outputs)) or [ROW], [[CELL], []])

    assert seen == [([CELL], [])]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW, ROW], "main: 1 things are measured twice"),
        ([ROW, replace(ROW, threat=Threat("oblivious", norm="l2"))], "main: 1 things are measured twice"),
        ([replace(ROW, n=0)], "n is 0"),
        ([replace(ROW, files=("other",))], "comes from 'other', which was not given"),
        ([replace(ROW, files=())], "comes from ''"),
        ([replace(ROW, low=0.7)], "interval from 0.7 to 0.6"),
        ([replace(ROW, value=float("nan"))], "value is nan"),
        ([replace(ROW, value=None)], "accuracy of cnn on digits: no value"),
    ],
)
def test_rows_that_break_the_contract_are_refused(rows, message):
    with pytest.raises(ContractError, match=message):
        evaluate("main", lambda outputs: rows, [[CELL]])


def test_what_was_left_out_stands_beside_the_rows_each_reason_once():
    assert evaluate("main", lambda outputs: [ROW], [[CELL]], ["no vim", "no vim"]).left_out == ("no vim",)


def test_an_evaluation_without_rows_says_so_and_does_not_end_the_study():
    metrics = evaluate("main", lambda outputs: [], [[CELL]], ["no vim"])

    said = "evaluation main measured nothing: no image or network here has what it asks about"
    assert metrics == Metrics([], ("no vim", said))


def test_an_evaluation_that_needs_what_was_left_out_has_no_rows_and_says_so():
    def compare(outputs):
        raise ValueError("no scores of vim")

    metrics = evaluate("main", compare, [[CELL]], ["no vim"])

    assert not metrics.rows
    assert metrics.left_out == (
        "no vim",
        "evaluation main cannot do without what was left out (no vim): no scores of vim",
    )
    with pytest.raises(ValueError, match="no scores of vim"):
        evaluate("main", compare, [[CELL]])
