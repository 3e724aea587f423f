"""`touchstone claims`: both words of every claim in the terminal and as Markdown, and what it ends with."""

import shutil
from pathlib import Path

import pytest
from hand_made_claims import ASKED, asks, book, networks

from touchstone.__main__ import main
from touchstone.claims.judging import StudyClaims, judge
from touchstone.commands.claims import read_lines
from touchstone.report import packing
from touchstone.report.claim_files import claims_csv

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def written(project, rows, **changes):
    """Write the table of a finished study with the claims S9-1 and S9-2."""
    made = book(S9_1=asks(at_least=0.8) | changes, S9_2=asks("SR", metric="evasion_rate", above=0.5))
    claims = {"S9-1": ASKED, "S9-2": ASKED if changes else "Not here."}
    found = judge(made, StudyClaims("digits", {"main": "robustness"}, claims), rows)
    (project / "reports" / "digits").mkdir(parents=True)
    (project / "reports" / "digits" / "claims.csv").write_bytes(claims_csv(made, found))


def broken(project):
    """Write a table with a claim that is confirmed and broken."""
    written(project, [*networks(0.9), *networks(0.7, metric="evasion_rate")], broken_by=["S9-2"])


@pytest.mark.parametrize("value", [0.5, 0.9])
def test_claims_prints_the_verdicts_and_ends_well_whatever_they_are(project, capsys, value):
    written(project, networks(value))

    assert main(["claims"]) == 0

    assert "3 claims, 1 with a verdict. The table: reports/digits/claims.csv" in capsys.readouterr().out


def test_claims_prints_a_word_for_each_axis(project, capsys):
    broken(project)

    assert main(["claims"]) == 0

    heads, *lines = (line for line in capsys.readouterr().out.splitlines() if "holds?" in line or "S9-" in line)
    assert heads.index("holds?") < heads.index("attacker who knows")
    assert lines[0].index("confirmed") == heads.index("holds?")
    assert lines[0].index("broken") == heads.index("attacker who knows")


def test_claims_ends_in_1_where_a_figure_is_missing(project, capsys):
    written(project, [])

    assert main(["claims"]) == 1

    assert "asked but without numbers: S9-1" in capsys.readouterr().out


def test_claims_prints_some_as_markdown(project, capsys):
    written(project, networks(0.9))

    assert main(["claims", "digits", "--markdown", "S9-1"]) == 0

    head, _, line = capsys.readouterr().out.splitlines()
    assert head == "| paper | claim | published | measured here | verdict |"
    assert "| 90.0 % [88.0, 92.0] | **confirmed** |" in line


def test_markdown_has_the_whole_figure_of_a_paper(project, capsys):
    (project / "reports/digits").mkdir(parents=True)
    shutil.copy(ROOT / "reports/digits/claims.csv", project / "reports/digits")

    assert main(["claims", "digits", "--markdown", "S0-7"]) == 0

    assert (
        "| P0-3: gradients .838; softmax .677; OpenMax .695; C2AE .895; CGDL .903 (best) |" in capsys.readouterr().out
    )


def test_in_markdown_the_second_word_stands_where_a_claim_is_about_an_attacker(project, capsys):
    broken(project)

    assert main(["claims", "digits", "--markdown"]) == 0

    _, _, *lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[-1] for line in lines] == [
        "**confirmed**; attacker who knows: broken |",
        "**confirmed** |",
    ]


def test_claims_prints_every_note_of_a_claim_on_a_line_of_its_own(project, capsys):
    broken(project)

    assert main(["claims", "digits", "--notes", "S9-1"]) == 0

    head, *lines = (line.strip() for line in capsys.readouterr().out.splitlines())
    (claim,) = (line for line in read_lines("digits")[1] if line["claim"] == "S9-1")
    assert head.startswith("S9-1 ")
    assert lines[0] == "confirmed"
    assert f"asked: {claim['criterion']}" in lines
    assert claim["note"]
    assert set(claim["note"].split("; ")) <= set(lines)


def test_claims_prints_the_notes_of_all(project, capsys):
    broken(project)

    assert main(["claims", "digits", "--notes"]) == 0

    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines() if line and not line.startswith(" ")] == [
        "P9-1",
        "S9-1",
        "S9-2",
    ]


def test_a_claim_that_is_not_there_is_told_with_the_nearest(project, capsys):
    written(project, networks(0.9))

    assert main(["claims", "digits", "--markdown", "S9-11"]) == 1

    assert "no claim S9-11. Did you mean S9-1?" in capsys.readouterr().err


@pytest.mark.parametrize("study", ["digits", "workflow/studies/digits.yaml"])
def test_the_claims_of_a_report_are_printed_though_its_settings_are_gone_or_wrong(project, capsys, study):
    written(project, networks(0.9))
    (project / "params.yaml").write_text("attacks: {pgd: {use: no_such_attack}}\n")

    assert main(["claims", study, "--say", "S9-1"]) == 0

    assert "- S9-1: " in capsys.readouterr().out


def test_claims_before_a_run_says_what_to_do(project, capsys):
    assert main(["claims"]) == 1

    assert "run the study first: touchstone run digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["claims", "digits"], ["trace", "digits", "--number", "S9-2"], ["compare", "digits", "digits"]]
)
def test_a_damaged_table_of_claims_is_named_with_what_restores_it(project, capsys, command):
    written(project, networks(0.9))
    table = project / "reports/digits/claims.csv"
    table.write_text(table.read_text().rstrip()[:-5].rpartition(",")[0])
    (table.parent / packing.METRICS).write_bytes(packing.compressed(b"evaluation\n"))

    assert main(command) == 1
    assert "claims.csv: is damaged: not every row has all columns; run the study again" in capsys.readouterr().err
