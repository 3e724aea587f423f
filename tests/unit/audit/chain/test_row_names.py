"""A table of renamed and removed rows: what it may hold, and its mistakes with file and line."""

from pathlib import Path

import pytest

from touchstone.audit.chain import comparison
from touchstone.audit.chain.row_names import read_names

ROOT = Path(__file__).parents[4]


def tables(study):
    report = comparison.read(study, ROOT)
    return report.metrics, report.claims


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("renames: []", r"names\.yaml:1: renames: not a section. Sections are renamed, removed. Did you mean renamed"),
        ("removed: {evaluation: a}", r"names\.yaml:1: removed: expected a list"),
        ("removed:\n  - gone", r"names\.yaml:2: removed\.0: expected columns and what they hold"),
        ("removed:\n  - {}", r"names\.yaml:2: removed\.0: names no column"),
        ("removed:\n  - {evaluations: a}", r"names\.yaml:2: removed\.0\.evaluations: not a column.*Did you mean evaluation"),
        ("removed:\n  - {evaluation: [a]}", r"names\.yaml:2: removed\.0\.evaluation: expected a text"),
        ("removed:\n  - {claim: a, metric: b}", r"names\.yaml:2: removed\.0: a claim has no other columns"),
        ("renamed:\n  - {from: {metric: a}}", r"names\.yaml:2: renamed\.0: expected from and to"),
        ("renamed:\n  - {from: {claim: a}, to: {metric: b}}", r"names\.yaml:2: renamed\.0: from and to are about"),
        ("renamed:\n  - {from: {metric: a}, to: {metric: b*}}", r"names\.yaml:2: renamed\.0\.to\.metric: a new name has no"),
    ],
)  # fmt: skip
def test_a_table_with_a_mistake_is_refused_with_its_line(tmp_path, text, told):
    path = tmp_path / "names.yaml"
    path.write_text(text)

    with pytest.raises(ValueError, match=told):
        read_names(path)


def test_the_table_of_the_repository_is_about_rows_of_its_reports():
    names = read_names(ROOT / "benchmarks/renamed_rows.yaml")
    rows = [row for study in ("digits", "fashion_mnist") for part in tables(study) for row in part]

    assert [rule.place for rule in names.rules if not any(rule.matches(row) for row in rows)] == []
