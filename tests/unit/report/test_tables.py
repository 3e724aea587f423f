from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import Metrics
from touchstone.records.nouns import Cell
from touchstone.report.tables import Numbers, numbered, pivot
from touchstone.statistics.intervals import Interval
from touchstone.statistics.rows import row, with_means


def accuracy(seed=0, value=0.5, low=0.4, high=0.6, metric="accuracy", unit="fraction", examples="digits", **more):
    cell = Cell(None, "file", entry="cnn", seed=seed, examples=examples)
    return row(metric, Interval(value, low, high), cell=cell, n=10, unit=unit, files=[cell], **more)


def numbers(*rows):
    return Numbers(numbered({"main": Metrics(list(rows))}))


def test_rows_are_numbered_as_the_lines_of_the_csv_over_all_evaluations():
    rows = numbered({"a": Metrics([accuracy(), accuracy(1)]), "b": Metrics([accuracy(2)])})

    assert [row.line for row in rows] == [2, 3, 4]


def test_a_number_shows_value_and_interval_and_says_n():
    given = numbers(accuracy(base_rate=0.25))

    number = given.number(given.rows[0])
    assert (number.text, number.interval, number.line) == ("50.0\u202f%", "[40.0, 60.0]", 2)
    assert number.title == "95 % interval in brackets; n = 10, base rate 0.25"


def test_open_ends_are_question_marks_and_no_interval_is_nothing():
    given = numbers(accuracy(high=None), accuracy(low=None, high=None, metric="n"))

    assert [given.number(row).interval for row in given.rows] == ["[40.0, ?]", ""]


def test_a_mean_takes_the_intervals_of_its_seeds_together():
    given = numbers(*with_means([accuracy(0, 0.5, 0.4, 0.6), accuracy(1, 0.7, 0.55, 0.8), accuracy(0, metric="other")]))

    mean, alone = given.overall()[1], given.overall()[0]
    number = given.number(mean)
    assert (number.text, number.interval) == ("60.0\u202f%", "[40.0, 80.0]")
    assert number.title.startswith("mean of 2 seeds, least 50.0\u202f%, greatest 70.0\u202f%")
    assert alone.metric == "other"
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
