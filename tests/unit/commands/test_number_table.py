"""`touchstone show STUDY --table` prints one metric of a report, means over seeds with their own intervals."""

import csv
import io
import re

import pytest

from projects import write_study
from touchstone.__main__ import main
from touchstone.commands._number_table import number_table
from touchstone.records.metric_tables import METRIC_COLUMNS
from touchstone.report import packing


def row(value, **more):
    plain = {"evaluation": "main", "entry": "cnn", "examples": "test/pgd", "metric": "accuracy", "unit": "fraction"}
    ends = {"low": value - 0.1, "high": value + 0.1}
    return dict.fromkeys(METRIC_COLUMNS, "") | plain | ends | {"value": value, "n": 10, "threat": "none"} | more


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, "digits", "digits")
    rows = [
        row(0.5, seed=0),
        row(0.7, seed=1),
        row(0.6, metric="accuracy_mean", low=0.45, high=0.75, method="score", seeds="0 1"),
        row(0.25, entry="mlp", unit="", low="", high=""),
        row(0.9, entry="mlp", examples="test"),
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, METRIC_COLUMNS)
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "reports/digits").mkdir(parents=True)
    (tmp_path / "reports/digits" / packing.METRICS).write_bytes(packing.compressed(text.getvalue().encode()))
    return tmp_path


def test_a_line_per_entry_and_a_column_per_set(project, capsys):
    assert main(["show", "digits", "--table", "main", "accuracy"]) == 0

    assert capsys.readouterr().out.splitlines() == [
        "| accuracy | test/pgd | test |",
        "| --- | --- | --- |",
        "| cnn | 60.0 % [45.0, 75.0] | – |",
        "| mlp | 0.250 | 90.0 % [80.0, 100.0] |",
    ]


def test_lines_and_columns_can_be_chosen(project):
    table = number_table("digits", "main", "accuracy", ["mlp"], ["test", "test/pgd"])

    assert table.splitlines()[0::2] == ["| accuracy | test | test/pgd |", "| mlp | 90.0 % [80.0, 100.0] | 0.250 |"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["digits", "mian", "accuracy"], "no evaluation called mian. Did you mean main?"),
        (["digits", "main", "acuracy"], "no metric of main called acuracy. Did you mean accuracy? There are accuracy"),
        (["digits", "main", "accuracy", ["mpl"]], "main has no entry mpl. Did you mean mlp?"),
        (["digits", "main", "accuracy", [], ["tset"]], "main has no examples tset. Did you mean test?"),
        (["other", "main", "accuracy"], "run the study first: touchstone run other"),
    ],
)
def test_a_missing_name_is_answered_with_the_nearest(project, asked, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        number_table(*asked)


def test_a_damaged_table_is_named_with_what_restores_it(project, capsys):
    table = project / "reports/digits" / packing.METRICS
    table.write_bytes(table.read_bytes()[:-9])

    assert main(["show", "digits", "--table", "main", "accuracy"]) == 1
    assert f"reports/digits/{packing.METRICS}: not a whole gzipped table" in (said := capsys.readouterr().err)
    assert "run the study again, or restore the file with git" in said
