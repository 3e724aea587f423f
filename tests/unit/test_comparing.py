"""Two reports: equal numbers are counted, moved ones told with what their intervals say, verdicts compared."""

import csv
import gzip
import json
import subprocess

import pytest

from touchstone import comparing
from touchstone.__main__ import main
from touchstone.comparing import APART, MOVED, Report
from touchstone.records import METRIC_COLUMNS


def metric(value, low="", high="", **more):
    row = dict.fromkeys(METRIC_COLUMNS, "") | {"entry": "cnn", "metric": "auroc", "threat": "none"}
    return row | {"value": str(value), "low": str(low), "high": str(high)} | more


def claim(name, status):
    return {"claim": name, "status": status}


def report(*metrics, claims=()):
    return Report("r", list(metrics), list(claims))


def test_equal_numbers_are_counted_and_nothing_moved():
    found = comparing.compare(report(metric(0.5)), report(metric(0.5)))

    assert (found.same, found.moves, found.turned) == (1, [], [])


def test_a_move_within_the_intervals_is_told_apart_from_one_beyond_them():
    first = report(metric(0.5, 0.4, 0.6), metric(0.5, 0.4, 0.6, entry="mlp"))
    second = report(metric(0.55, 0.45, 0.65), metric(0.8, 0.7, 0.9, entry="mlp"))

    moves = comparing.compare(first, second).moves

    assert [(move.verdict, round(move.by, 3)) for move in moves] == [(APART, 0.3), (MOVED, 0.05)]
    assert "mlp" in moves[0].about


def test_a_number_that_one_report_lacks_is_listed():
    found = comparing.compare(report(metric(0.5)), report(metric(0.5, seed="1")))

    assert (len(found.only_first), len(found.only_second), found.same) == (1, 1, 0)


def test_verdicts_that_turned_are_listed():
    found = comparing.compare(
        report(claims=[claim("S2-1", "confirmed"), claim("S2-2", "confirmed")]),
        report(claims=[claim("S2-1", "not confirmed"), claim("S2-2", "confirmed")]),
    )

    assert [(turned.claim, turned.after) for turned in found.turned] == [("S2-1", "not confirmed")]


def write(folder, value):
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(folder / "metrics.csv.gz", "wt", newline="") as stream:
        writer = csv.DictWriter(stream, METRIC_COLUMNS)
        writer.writeheader()
        writer.writerow(metric(value))
    (folder / "claims.csv").write_text("claim,status\nS2-1,confirmed\n")


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
    assert comparing.run_compare(revision, "digits", 20, False) == 1

    assert "0 numbers are equal; 1 moved" in capsys.readouterr().out


def test_two_revisions_are_compared_as_words_and_as_json(project, capsys):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "commit", "-qam", "two"], check=True)

    assert main(["compare", "HEAD~1", "HEAD:digits", "--json"]) == 1

    (move,) = json.loads(capsys.readouterr().out)["moves"]
    assert (move["before"], move["after"]) == (0.5, 0.6)


def test_a_report_equals_itself(project):
    assert comparing.run_compare("digits", str(project / "reports/digits"), 20, False) == 0


@pytest.mark.parametrize(("name", "told"), [("nowhere", "neither a study"), ("HEAD:mnist", "not in that revision")])
def test_a_report_that_is_not_there_is_told(project, name, told):
    with pytest.raises(ValueError, match=told):
        comparing.run_compare("digits", name, 20, False)
