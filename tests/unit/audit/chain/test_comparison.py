"""Two reports: equal rows are counted, rounding is told apart, and any other column that differs is shown."""

import csv
import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from touchstone.__main__ import main
from touchstone.audit.chain import comparison
from touchstone.audit.chain.comparison import APART, FILES, MOVED, Report
from touchstone.audit.chain.row_names import read_names
from touchstone.records.metric_tables import METRIC_COLUMNS
from touchstone.report.claim_files import COLUMNS as CLAIM_COLUMNS

ROOT = Path(__file__).parents[4]
NAMES_TABLE = """
renamed:
  - {from: {evaluation: old_*, metric: auroc}, to: {evaluation: new}}
  - {from: {claim: S1-1}, to: {claim: A1}}
removed:
  - {evaluation: gone}
  - {claim: S9-*}
"""


def metric(value, low="", high="", **more):
    row = dict.fromkeys(METRIC_COLUMNS, "") | {"entry": "cnn", "metric": "auroc", "threat": "none"}
    return row | {"value": str(value), "low": str(low), "high": str(high)} | more


def claim(name, status, **more):
    return dict.fromkeys(CLAIM_COLUMNS, "") | {"claim": name, "status": status} | more


def report(*metrics, claims=()):
    return Report("r", list(metrics), list(claims))


def counts(found):
    return found.same, found.rounded, len(found.changed), len(found.only_first), len(found.only_second)


def test_equal_numbers_are_counted_and_nothing_moved():
    found = comparison.compare(report(metric(0.5)), report(metric(0.5)))

    assert counts(found.metrics) == (1, 0, 0, 0, 0)
    assert not found.metrics.any


def test_a_move_within_the_intervals_is_told_apart_from_one_beyond_them():
    first = report(metric(0.5, 0.4, 0.6), metric(0.5, 0.4, 0.6, entry="mlp"))
    second = report(metric(0.55, 0.45, 0.65), metric(0.8, 0.7, 0.9, entry="mlp"))

    moves = comparison.compare(first, second).metrics.changed

    assert [(move.verdict, round(move.by, 3)) for move in moves] == [(APART, 0.3), (MOVED, 0.05)]
    assert "mlp" in moves[0].about


def test_no_move_of_a_number_without_an_interval_or_towards_an_open_end_is_called_one_beyond_both_intervals():
    first = report(metric(0.5), metric(0.12, 0.1, "", entry="mlp"), metric(0.9, "", 0.95, entry="tree"))
    second = report(metric(0.6), metric(0.13, 0.125, "", entry="mlp"), metric(0.99, 0.97, 1, entry="tree"))

    verdicts = {move.about: move.verdict for move in comparison.compare(first, second).metrics.changed}

    assert [verdict for about, verdict in verdicts.items() if "tree" not in about] == [MOVED, MOVED]
    assert [verdict for about, verdict in verdicts.items() if "tree" in about] == [APART]


@pytest.mark.parametrize(
    ("before", "after", "rounding"),
    [
        (0.1 + 0.2, 0.3, True),  # 4e-17 apart, as sums in another order are
        (1e-17, 0.0, True),
        (123456.0, 123456.00000001, True),
        (0.3, 0.3000001, False),
        (1e-6, 1.1e-6, False),
    ],
)
def test_a_difference_that_is_rounding_is_counted_as_such(before, after, rounding):
    found = comparison.compare(report(metric(before, before, before)), report(metric(after, after, after))).metrics

    assert counts(found) == ((0, 1, 0, 0, 0) if rounding else (0, 0, 1, 0, 0))
    assert found.any != rounding


@pytest.mark.parametrize("column", [name for name in METRIC_COLUMNS if name != FILES])
def test_every_column_of_a_number_counts(column):
    others = {"value": "0.7", "low": "0.1", "high": "0.9", "n": "7", "base_rate": "0.3"}
    row = metric(0.5, 0.4, 0.6, n="8", base_rate="0.5")

    found = comparison.compare(report(row), report(row | {column: others.get(column, "another")})).metrics

    assert found.any
    if found.changed:
        assert list(found.changed[0].columns) == [column]
    else:
        assert column in comparison.NUMBER
        assert (len(found.only_first), len(found.only_second)) == (1, 1)


@pytest.mark.parametrize("column", CLAIM_COLUMNS)
def test_every_column_of_a_claim_counts(column):
    row = claim("S1-1", "holds", measured="0.5", note="as it was")

    assert comparison.compare(report(claims=[row]), report(claims=[row | {column: "0.6"}])).claims.any


def test_the_files_do_not_count():
    first, second = (
        report(metric(0.5, files="a"), claims=[claim("S1-1", "x", files="a")]),
        report(metric(0.5, files="b"), claims=[claim("S1-1", "x")]),  # only older tables of claims have the column
    )

    found = comparison.compare(first, second)

    assert not found.metrics.any
    assert not found.claims.any


def test_a_number_of_another_threat_model_is_the_same_number_changed():
    found = comparison.compare(report(metric(0.5)), report(metric(0.5, threat="white-box")))

    assert found.metrics.changed[0].columns == {"threat": ("none", "white-box")}


def test_a_number_that_one_report_lacks_is_listed():
    found = comparison.compare(report(metric(0.5)), report(metric(0.5, seed="1"))).metrics

    assert counts(found) == (0, 0, 0, 1, 1)


def test_of_equal_rows_one_that_is_missing_is_listed():
    found = comparison.compare(report(metric(0.5), metric(0.5)), report(metric(0.5))).metrics

    assert counts(found) == (1, 0, 0, 1, 0)


def test_verdicts_that_turned_and_claims_that_came_and_went_are_listed():
    found = comparison.compare(
        report(claims=[claim("S2-1", "holds"), claim("S2-2", "holds"), claim("S2-3", "not run")]),
        report(claims=[claim("S2-1", "fails"), claim("S2-2", "holds"), claim("S2-4", "not run")]),
    ).claims

    assert [(change.about, change.columns) for change in found.changed] == [("S2-1", {"status": ("holds", "fails")})]
    assert (found.only_first, found.only_second) == (["S2-3"], ["S2-4"])


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_a_committed_report_equals_itself_and_not_what_a_careless_hand_makes_of_it(study):
    first = comparison.read(study, ROOT)
    metrics = [row | {"low": "-9", "high": "9", "n": "1"} for row in first.metrics]
    claims = [row | {"note": f"{row['note']} or so"} for row in first.claims[2:]]

    equal, careless = comparison.compare(first, first), comparison.compare(first, Report("careless", metrics, claims))

    assert counts(equal.metrics) == (len(metrics), 0, 0, 0, 0)
    assert counts(equal.claims) == (len(first.claims), 0, 0, 0, 0)
    assert counts(careless.metrics) == (0, 0, len(metrics), 0, 0)
    assert counts(careless.claims) == (0, 0, len(claims), 2, 0)
    assert {tuple(change.columns) for change in careless.claims.changed} == {("note",)}


def write(folder, value):
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "metrics.csv.gz", "wt", newline="") as stream:
        writer = csv.DictWriter(stream, METRIC_COLUMNS)
        writer.writeheader()
        writer.writerow(metric(value, value - 0.01, value + 0.01))
    (folder / "claims.csv").write_text("claim,status\nS2-1,holds\n")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository whose committed digits report says .5 and whose present one says .6."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "reports/digits", 0.5)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    for line in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run(["git", *identity, *line], check=True)
    write(tmp_path / "reports/digits", 0.6)
    return tmp_path


@pytest.mark.parametrize("revision", ["HEAD", "HEAD:digits"])
def test_a_revision_is_compared_with_the_report_of_today(project, capsys, revision):
    assert comparison.run_compare(revision, "digits", 20, False) == 1

    said = capsys.readouterr().out
    assert "; 1 beyond both intervals)" in said
    assert "1 claims are equal; 0 differ" in said


def test_two_revisions_are_compared_as_words_and_as_json(project, capsys):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "-qam", "two"], check=True)

    assert main(["compare", "HEAD~1", "HEAD:digits", "--json"]) == 1

    (move,) = json.loads(capsys.readouterr().out)["metrics"]["changed"]
    assert move["columns"]["value"] == ["0.5", "0.6"]


def test_a_number_that_differs_by_rounding_is_counted_and_the_reports_are_equal(project, capsys):
    write(project / "reports/digits", 0.5 + 1e-16 * 4)

    assert comparison.run_compare("HEAD", "digits", 20, False) == 0
    assert "0 numbers are equal, 1 differs by rounding only; 0 differ" in capsys.readouterr().out


def test_what_differs_is_shown_with_its_columns(project, capsys):
    write(project / "reports/digits", 0.5)
    (project / "reports/digits/claims.csv").write_text("claim,status\nS2-1,fails\nS2-2,not run\n")

    assert comparison.run_compare("HEAD", "digits", 20, False) == 1

    said = capsys.readouterr().out
    assert "fails" in said
    assert "only in digits: S2-2" in said
    assert "0 claims are equal; 1 differs (1 in status); 0 only in HEAD, 1 only in digits." in said


def test_a_report_equals_itself(project):
    assert comparison.run_compare("digits", str(project / "reports/digits"), 20, False) == 0


@pytest.mark.parametrize(("name", "told"), [("nowhere", "neither a study"), ("HEAD:mnist", "not in that revision")])
def test_a_report_that_is_not_there_is_told(project, name, told):
    with pytest.raises(ValueError, match=told):
        comparison.run_compare("digits", name, 20, False)


def test_a_column_that_only_one_report_has_is_named_and_the_others_are_compared():
    older = {key: value for key, value in claim("S1-1", "holds").items() if key != "kind"}
    found = comparison.compare(report(claims=[older]), report(claims=[claim("S1-1", "holds", kind="check")])).claims

    assert (counts(found), found.columns, found.any) == ((1, 0, 0, 0, 0), ["kind"], True)


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.yaml"
    path.write_text(NAMES_TABLE)
    return read_names(path)


def old(value, **more):
    return metric(value, **{"evaluation": "old_name", "examples": "digits"} | more)


def new(value, **more):
    return metric(value, **{"evaluation": "new", "examples": "digits"} | more)


def test_a_mapped_row_that_is_equal_has_not_moved(names):
    found = comparison.compare(report(old(0.5, seed="1")), report(new(0.5, seed="1")), names).metrics

    assert (found.same, found.renamed, found.removed, found.any) == (1, 1, 0, False)


def test_a_mapped_row_with_another_value_has_moved(names):
    found = comparison.compare(report(old(0.5)), report(new(0.7)), names).metrics

    (change,) = found.changed
    assert change.columns == {"value": ("0.5", "0.7")}
    assert (found.same, found.only_first, found.only_second) == (0, [], [])


def test_a_row_that_no_line_maps_counts_as_moved_on_both_sides(names):
    found = comparison.compare(report(old(0.5, metric="fpr95")), report(new(0.5, metric="fpr95")), names).metrics

    assert found.only_first == ["old_name: fpr95 of cnn on digits"]
    assert found.only_second == ["new: fpr95 of cnn on digits"]


def test_a_mapping_to_a_row_that_is_not_there_is_told(names):
    found = comparison.compare(report(old(0.5)), report(), names).metrics

    assert found.any
    assert found.only_first == ["old_name: auroc of cnn on digits, which is renamed to new: auroc of cnn on digits"]


def test_of_two_rows_that_get_one_name_the_second_is_told(names):
    found = comparison.compare(report(old(0.5), old(0.5, evaluation="old_other")), report(new(0.5)), names).metrics

    assert found.same == 1
    assert found.only_first == ["old_other: auroc of cnn on digits, which is renamed to new: auroc of cnn on digits"]


def test_a_removed_row_has_not_moved_and_is_counted(names):
    found = comparison.compare(report(metric(0.5, evaluation="gone"), metric(0.1)), report(metric(0.1)), names).metrics

    assert (found.same, found.removed, found.any) == (1, 1, False)


def test_a_removed_row_that_is_still_there_is_told(names):
    row = metric(0.5, evaluation="gone", examples="digits")

    found = comparison.compare(report(row), report(row), names).metrics

    assert found.any
    assert found.only_second == ["gone: auroc of cnn on digits, which the table of names lists as removed"]


def test_claims_are_renamed_and_removed_too(names):
    first = report(claims=[claim("S1-1", "holds"), claim("S9-2", "not run")])

    found = comparison.compare(first, report(claims=[claim("A1", "holds")]), names).claims

    assert (found.same, found.renamed, found.removed, found.any) == (1, 1, 1, False)


def test_a_row_that_two_lines_match_is_refused(tmp_path):
    path = tmp_path / "names.yaml"
    path.write_text("removed:\n  - {evaluation: gone}\n  - {metric: auroc}\n")

    with pytest.raises(ValueError, match=r"names\.yaml: removed\.0 and removed\.1 both match gone: auroc of cnn"):
        comparison.compare(report(metric(0.5, evaluation="gone")), report(), read_names(path))


def test_a_number_in_the_table_is_its_text(tmp_path):
    path = tmp_path / "names.yaml"
    path.write_text("removed:\n  - {seed: 1}\n")

    found = comparison.compare(report(metric(0.5, seed="1")), report(), read_names(path)).metrics

    assert (found.removed, found.any) == (1, False)


def test_the_command_reads_the_table_and_counts_what_it_maps(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("first", "second"):
        write(tmp_path / folder, 0.5)
    (tmp_path / "names.yaml").write_text("renamed:\n  - {from: {metric: auroc}, to: {metric: area}}\n")

    assert main(["compare", "first", "second"]) == 0
    assert main(["compare", "first", "second", "--names", "names.yaml"]) == 1
    assert "which is renamed to : area of cnn" in capsys.readouterr().out

    (tmp_path / "names.yaml").write_text("renamed:\n  - {from: {metric: auroc}, to: {threat: none}}\n")
    assert main(["compare", "first", "second", "--names", "names.yaml"]) == 0
    assert "1 numbers are equal; 0 differ; 0 only in first, 0 only in second; 1 renamed" in capsys.readouterr().out

    assert main(["compare", "first", "second", "--names", "names.yaml", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metrics"]["renamed"] == 1


def test_a_table_that_is_not_there_is_told(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "first", 0.5)

    assert main(["compare", "first", "first", "--names", "nowhere.yaml"]) != 0
    assert "nowhere.yaml: no such file" in capsys.readouterr().err


# --- tables that no report has -----------------------------------------------------------------------------------------


def compared_within(gigabytes, tmp_path, table):
    """Compare a report with itself in a process of its own, with so much memory; return what it prints to stderr."""
    write(tmp_path / "report", 0.5)
    (tmp_path / "report/metrics.csv.gz").write_bytes(gzip.compress(table, mtime=0))
    done = subprocess.run(
        [sys.executable, "-m", "touchstone", "compare", "report", "report"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (int(gigabytes * 1e9),) * 2),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def test_a_small_file_of_five_million_rows_takes_little_memory_and_one_sentence(tmp_path):
    header = ",".join(METRIC_COLUMNS).encode() + b"\n"
    empty = b"," * (len(METRIC_COLUMNS) - 1) + b"\n"

    said = compared_within(1.5, tmp_path, header + empty * 5_000_000)

    assert (tmp_path / "report/metrics.csv.gz").stat().st_size < 300_000
    assert said.startswith("touchstone: report: metrics.csv.gz: ")
    assert said.count("\n") == 1
    assert "at most 200,000 are read" in said


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda table: table.replace(b"seed,", b"seeds_,", 1), "it has no column seed"),
        (lambda table: table.replace(b"0.5", b"half"), "line 2 has 'half' as value, expected a number"),
        (lambda table: table.replace(b",0.5,", b",,"), "line 2 has '' as value, expected a number"),
    ],
    ids=["another column", "a word", "no value"],
)
def test_a_table_with_another_column_or_a_word_for_a_number_is_named(tmp_path, capsys, monkeypatch, spoil, said):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "report", 0.5)
    path = tmp_path / "report/metrics.csv.gz"
    path.write_bytes(gzip.compress(spoil(gzip.decompress(path.read_bytes())), mtime=0))

    assert main(["compare", "report", "report"]) == 1
    assert f"report: metrics.csv.gz: is damaged: {said}" in capsys.readouterr().err
