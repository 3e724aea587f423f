from dataclasses import replace

import pytest

from touchstone.pipeline.steps.evaluate import evaluate
from touchstone.records.metric_rows import Threat
from touchstone.records.nouns import Cell, ContractError
from touchstone.statistics.intervals import Interval
from touchstone.statistics.rows import row

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
        ([], "main: nothing was measured"),
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
