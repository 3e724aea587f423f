from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import rate_row, row, with_means
from touchstone.evaluations.statistics.wording import bracketed
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Cell
from touchstone.report.page import _environment
from touchstone.report.tables import MOST_COLUMNS, Line, Numbers, Table, numbered, pivot


def accuracy(seed=0, value=0.5, low=0.4, high=0.6, metric="accuracy", unit="fraction", examples="digits", **more):
    cell = Cell(None, "file", entry="cnn", seed=seed, examples=examples)
    return row(metric, Interval(value, low, high), cell=cell, n=10, unit=unit, files=[cell], **more)


def numbers(*rows):
    return Numbers(numbered({"main": Metrics(list(rows))}))


def test_rows_are_numbered_as_the_lines_of_the_csv_over_all_evaluations():
    rows = numbered({"a": Metrics([accuracy(), accuracy(1)]), "b": Metrics([accuracy(2)])})

    assert [row.line for row in rows] == [2, 3, 4]


def test_a_number_shows_value_and_interval():
    given = numbers(accuracy())

    number = given.number(given.rows[0])
    assert (number.text, number.interval, number.line) == ("50.0\u202f%", "[40.0, 60.0]", 2)


def test_open_ends_are_question_marks_and_no_interval_is_nothing():
    given = numbers(accuracy(high=None), accuracy(low=None, high=None, metric="n"))

    assert [given.number(row).interval for row in given.rows] == ["[40.0, ?]", ""]


def measured(seed, right, of=10):
    cell = Cell(Rows(np.arange(of)), "file", entry="cnn", seed=seed, examples="digits")
    return rate_row("accuracy", np.arange(of) < right, cell)


class Rows(NamedTuple):
    example_ids: Any


def test_the_brackets_of_a_mean_are_its_own_interval():
    seeds = [measured(0, 5), measured(1, 7), measured(2, 6)]
    given = numbers(*with_means(seeds))

    (mean,) = given.overall
    number = given.number(mean)
    assert (number.text, number.interval) == ("60.0\u202f%", bracketed(mean.low, mean.high, "fraction"))
    assert mean.low > min(row.low for row in seeds) and mean.high < max(row.high for row in seeds)


def test_the_brackets_of_a_mean_that_is_no_estimate_are_the_least_and_the_greatest_seed():
    given = numbers(*with_means([accuracy(0, 0.5), accuracy(1, 0.7)]))  # without resamples

    (mean,) = given.overall
    number = given.number(mean)
    assert (number.text, number.interval) == ("60.0\u202f%", "[50.0 to 70.0]")


def test_equal_seeds_of_a_number_that_is_no_estimate_have_no_brackets():
    given = numbers(*with_means([accuracy(0, 0.5), accuracy(1, 0.5)]))

    (mean,) = given.overall
    assert given.number(mean)[1:3] == ("50.0\u202f%", "")


def test_overall_is_the_mean_or_the_only_row():
    given = numbers(*with_means([accuracy(0), accuracy(1), accuracy(0, metric="other")]))

    assert [row.metric for row in given.overall] == ["other", "accuracy_mean"]
    assert [row.seed for row in given.single()] == [0, 1, 0]


def test_a_pivot_has_a_line_per_thing_and_a_column_per_metric():
    given = numbers(
        accuracy(metric="last", examples="digits/pgd"), accuracy(metric="first"), accuracy(metric="last"), accuracy(1)
    )

    table = pivot(given, given.rows, "all")

    assert table.words == ("entry", "examples", "seed")
    assert table.columns == ("first", "last", "accuracy")  # the longest line sets the order
    assert [line.words for line in table.lines] == [
        ("cnn", "digits/pgd", "0"),
        ("cnn", "digits", "0"),
        ("cnn", "digits", "1"),
    ]
    assert [[bool(number) for number in line.numbers] for line in table.lines] == [
        [False, True, False], [True, True, False], [False, False, True],
    ]  # fmt: skip


def test_the_threat_model_is_a_column_where_there_is_one():
    given = numbers(accuracy(threat_model=Threat("oblivious")), accuracy(metric="other"))

    assert pivot(given, given.rows, "all").words == ("entry", "examples", "seed", "threat model")


def test_a_table_too_wide_for_a_sheet_has_a_line_per_metric_and_a_column_per_thing():
    metrics = [f"tau_class_{label}" for label in range(13)]
    given = numbers(*(accuracy(seed, metric=name, value=seed / 2) for seed in (0, 1) for name in metrics[: 13 - seed]))

    table = pivot(given, given.rows, "all")

    assert (table.words, table.columns, table.of_things) == (("metric",), ("seed 0", "seed 1"), True)
    assert [line.words for line in table.lines] == [(name,) for name in metrics]
    assert [[number and number.value for number in line.numbers] for line in table.lines[-2:]] == [[0, 0.5], [0, None]]


def test_a_table_of_more_lines_than_columns_stays_as_it_is():
    given = numbers(*(accuracy(seed, metric=f"m{number}") for seed in range(13) for number in range(13)))

    assert not pivot(given, given.rows, "all").of_things


def test_a_turned_table_names_no_seed_of_a_thing_without_one():
    seeds = [accuracy(0), accuracy(1), *with_means([accuracy(0), accuracy(1)])[2:]]
    given = numbers(*(replace(row, metric=f"m{i}") for row in seeds for i in range(MOST_COLUMNS + 1)))

    table = pivot(given, given.rows, "all")

    assert table.of_things
    assert table.columns == ("seed 0", "seed 1", "cnn")


def test_a_table_drops_columns_without_any_number():
    given = numbers(accuracy())
    number = given.number(given.rows[0])
    table = Table(
        "", ("entry",), ("a", "b", "c"), (Line(("x",), (None, number, None)), Line(("y",), (None, None, number)))
    )

    assert table.dense == table._replace(
        columns=("b", "c"), lines=(Line(("x",), (number, None)), Line(("y",), (None, number)))
    )
    assert pivot(given, given.rows, "all").dense == pivot(given, given.rows, "all")


def test_the_page_drops_empty_columns_and_has_a_cell_for_each_threat():
    given = numbers(accuracy())
    table = Table(
        "", ("entry", "threat model"), ("a", "b"), (Line(("x", "none"), (None, given.number(given.rows[0])), "pgd"),)
    )

    html = str(_environment().get_template("macros.html").module.table(table))

    assert ">a</th>" not in html and "–" not in html
    assert '<td class="threat">none</td>' in html and '<td class="threat">pgd</td>' in html
