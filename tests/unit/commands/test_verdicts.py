"""`touchstone show STUDY`: both words of every claim, what a verdict rests on, and what it ends with."""

import contextlib
import shutil
from pathlib import Path

import pytest
from hand_made_claims import ASKED, asks, book, networks
from hand_made_variants import CLAIM, flagship, judged, tried, variant

from job_files import FACTS
from projects import write_study
from touchstone.__main__ import main
from touchstone.claims.judging import StudyClaims, judge
from touchstone.commands import _answers, _verdicts
from touchstone.commands._verdicts import read_lines
from touchstone.provenance import sidecar_files
from touchstone.report import packing
from touchstone.report.claim_files import claims_csv

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path, monkeypatch):
    write_study(tmp_path, "digits", "digits")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def written(project, rows, **changes):
    """Write the table of a finished study with the claims S9-1 and S9-2."""
    made = book(S9_1=asks(at_least=0.8) | changes, S9_2=asks("SR", metric="evasion_rate", above=0.5))
    claims = {"S9-1": ASKED, "S9-2": ASKED if changes else "Not here."}
    found = judge(made, StudyClaims({"main": "robustness"}, claims), rows)
    (project / "reports" / "digits").mkdir(parents=True)
    (project / "reports" / "digits" / "claims.csv").write_bytes(claims_csv(made, found))


def broken(project):
    """Write a table with a claim that holds and is broken."""
    written(project, [*networks(0.9), *networks(0.7, metric="evasion_rate")], broken_by=["S9-2"])


@pytest.mark.parametrize("value", [0.5, 0.9])
def test_the_verdicts_are_printed_and_the_command_ends_well_whatever_they_are(project, capsys, value):
    written(project, networks(value))

    assert main(["show"]) == 0

    assert "With a verdict: 1 of 2. The table: reports/digits/claims.csv" in capsys.readouterr().out


def test_each_claim_is_a_line_with_a_word_for_each_axis(project, capsys):
    broken(project)

    assert main(["show"]) == 0

    heads, title, *lines = capsys.readouterr().out.split("\n\n")[1].splitlines()[:4]
    assert heads.split() == ["claim", "holds?", "attacker", "measured"]
    assert title == "Paper" and [line.split()[0] for line in lines] == ["S9-1", "S9-2"]
    assert lines[0].index("holds") == heads.index("holds?")
    assert lines[0].index("broken") == heads.index("attacker")
    assert lines[0].endswith("90.0 % [88.0, 92.0]")


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_the_lines_of_a_study_fit_a_terminal_of_80_columns(project, capsys, study):
    (project / "reports" / study).mkdir(parents=True)
    shutil.copy(ROOT / "reports" / study / "claims.csv", project / "reports" / study)

    _verdicts.print_verdicts(study)

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_what_follows_the_claims_fits_80_columns_with_numbers_and_variants(project, capsys):
    study = "fashion_mnist_multiverse"
    finished(project)
    (project / "reports/digits").rename(project / "reports" / study)
    table = project / "reports" / study / "claims.csv"
    heads, *lines = table.read_text().splitlines()
    counts = "holds 1, fails 1, turns 2 of 8, inconclusive 1, did not learn 1, not run 2"
    table.write_text("\n".join([f"{heads},variants", *(f'{line},"{counts}"' for line in lines)]) + "\n")

    _verdicts.print_verdicts(study)

    said = capsys.readouterr().out
    assert counts in " ".join(said.split()) and f"{study} --paper PAPER" in " ".join(said.split())
    assert max(map(len, said.splitlines())) <= 80


def test_the_claims_of_one_paper_are_printed(project, capsys):
    (project / "reports/digits").mkdir(parents=True)
    shutil.copy(ROOT / "reports/digits/claims.csv", project / "reports/digits")

    assert main(["show", "digits", "--paper", "fgsm"]) == 0

    _, *lines = capsys.readouterr().out.split("\n\n")[-1].splitlines()
    assert {line[:1] for line in lines if line[1:2].isdigit()} == {"F"}
    assert "rests on: touchstone show digits --number F1" in lines[-1]


def finished(project, *, kinds=("claim", "counter", "number")):
    """Write the tables and the sidecar of a finished study: one paper with a claim of each kind."""
    fields = [
        "claim",
        "paper",
        "kind",
        "setting",
        "criterion",
        "number",
        "measured",
        "unit",
        "low",
        "high",
        "status",
        "attacker",
        "says",
        "note",
    ]
    words = {"claim": "holds,broken", "counter": "holds,does not apply", "number": ","}
    lines = [
        f"N{place},Nine,{kind},any,any,x,0.9,fraction,0.8,1.0,{words[kind]},What N{place} found is 90 %,"
        for place, kind in enumerate(kinds, 1)
    ]
    folder = project / "reports/digits"
    folder.mkdir(parents=True)
    (folder / "claims.csv").write_text("\n".join([",".join(fields), *lines]) + "\n")
    facts = {"name": "Nine", "title": "Nine lives", "unfair": ["Nobody has nine."], "answers": ["N2", "N1"]}
    settings = {"papers": {"nine": facts}}
    sidecar_files.write_sidecar(folder / "report.html", "sha256:page", FACTS | {"step": "report", "settings": settings})


def test_a_study_opens_with_the_answer_of_each_paper(project, capsys):
    finished(project)

    assert main(["show", "digits"]) == 0

    answers, claims = capsys.readouterr().out.split("\n\n")
    assert answers.splitlines() == [
        "Nine lives. The promise holds here; a stronger attacker than the paper's breaks",
        "the method.",
        "  What N1 found is 90 %. [N1: holds; attacker who knows: broken]",
        "  What N2 found is 90 %. [N2: counter-claim holds]",
    ]
    assert [line.split()[0] for line in claims.splitlines()[1:4]] == ["Nine", "N1", "N2*"]
    assert "* a counter-claim: ours, against the paper" in claims
    assert "Numbers without a verdict, 1: touchstone show digits --paper PAPER" in claims


def test_without_its_sidecar_a_report_is_answered_by_the_papers_of_the_settings(project):
    assert _answers.papers_of("digits")["fgsm"]["name"] == "FGSM"
    assert _answers.papers_of("nowhere") == {}


def test_one_paper_has_its_numbers_and_what_its_authors_may_call_unfair(project, capsys):
    finished(project)

    assert _answers.print_answers("digits", "Nine")
    _verdicts.print_verdicts("digits", "Nine")

    said = capsys.readouterr().out
    assert "What its authors may call unfair: Nobody has nine." in said and "\nN3 " in said


def test_a_run_ends_with_the_answers(project, capsys, monkeypatch):
    finished(project)
    monkeypatch.setattr("touchstone.pipeline.orchestration.snakemake_run.run", lambda study, cores: 0)

    assert main(["run", "digits"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Nine lives. The promise holds here") and said[-1] == "More: touchstone show digits"


def test_a_run_that_failed_prints_no_answers_of_an_earlier_one(project, capsys, monkeypatch):
    finished(project)
    monkeypatch.setattr("touchstone.pipeline.orchestration.snakemake_run.run", lambda study, cores: 1)

    assert main(["run", "digits"]) == 1 and capsys.readouterr().out == ""


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_the_answers_of_a_study_fit_a_terminal_of_80_columns(capsys, study):
    with contextlib.chdir(ROOT):
        assert _answers.print_answers(study)

    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_a_paper_that_the_study_does_not_list_is_answered_with_the_nearest(project, capsys):
    written(project, networks(0.9))

    assert main(["show", "digits", "--paper", "fgms"]) == 1

    assert "--paper fgms: digits has no such paper; it has gradient_detection" in (said := capsys.readouterr().err)
    assert "Did you mean fgsm?" in said


def test_it_ends_in_1_where_a_figure_is_missing(project, capsys):
    written(project, [])

    assert main(["show"]) == 1

    assert "asked but without numbers: S9-1" in capsys.readouterr().out


def test_what_a_verdict_rests_on_has_every_note_on_a_line_of_its_own(project, capsys):
    broken(project)

    assert main(["show", "digits", "--number", "S9-1"]) == 0

    head, *lines = (line.strip() for line in capsys.readouterr().out.splitlines())
    (claim,) = (line for line in read_lines("digits")[1] if line["claim"] == "S9-1")
    assert head.startswith("S9-1 ")
    assert lines[0] == "holds; attacker who knows: broken"
    assert f"asked: {claim['criterion']}" in lines
    assert "bound: our choice: enough for a test" in lines
    assert claim["note"]
    assert set(claim["note"].split("; ")) <= set(lines)


def test_what_a_verdict_rests_on_has_the_whole_published_figure_and_the_sentence(project, capsys):
    (project / "reports/digits").mkdir(parents=True)
    shutil.copy(ROOT / "reports/digits/claims.csv", project / "reports/digits")

    assert main(["show", "digits", "--number", "G5", "F1"]) == 0

    said = " ".join(capsys.readouterr().out.split())
    assert "published: P0-3: gradients .838; softmax .677; OpenMax .695; G-OpenMax .675; OSRCI .699; C2AE .895;" in said
    assert "found: " in said[said.index("F1 ") :]


def test_a_claim_that_is_not_there_is_told_with_the_nearest(project, capsys):
    written(project, networks(0.9))

    assert main(["show", "digits", "--number", "S9-11"]) == 1

    assert "no claim S9-11. Did you mean S9-1?" in capsys.readouterr().err


@pytest.mark.parametrize("study", ["digits", "workflow/studies/digits.yaml"])
def test_the_claims_of_a_report_are_printed_though_its_settings_are_gone_or_wrong(project, capsys, study):
    written(project, networks(0.9))
    write_study(project, "digits", change={"attacks": {"pgd": {"use": "no_such_attack"}}})

    assert main(["show", study, "--number", "S9-1"]) == 0

    assert "S9-1  " in capsys.readouterr().out


def test_before_a_run_it_says_what_to_do(project, capsys):
    assert main(["show"]) == 1

    assert "run the study first: touchstone run digits" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["show", "digits"], ["trace", "digits", "--number", "S9-2"], ["compare", "digits", "digits"]]
)
def test_a_damaged_table_of_claims_is_named_with_what_restores_it(project, capsys, command):
    written(project, networks(0.9))
    table = project / "reports/digits/claims.csv"
    table.write_text(table.read_text().rstrip()[:-5].rpartition(",")[0])
    (table.parent / packing.METRICS).write_bytes(packing.compressed(b"evaluation\n"))

    assert main(command) == 1
    assert (
        "claims.csv: is damaged: not every row has all columns: line 3 has 25, expected 26; run the study again"
        in capsys.readouterr().err
    )


def test_how_far_a_verdict_carries_stands_below_the_claims_and_with_what_it_rests_on(project, capsys):
    rows = [*flagship(), *variant(0.2), *variant(0.9, entry="third")]
    settings = tried(one={}, two={"roles": {"net": "third", "examples": "test"}})
    (project / "reports" / "digits").mkdir(parents=True)
    (project / "reports" / "digits" / "claims.csv").write_bytes(claims_csv(book(S9_1=CLAIM), [judged(rows, settings)]))

    assert main(["show"]) == 0
    assert "S9-1 in variants of the experiment: holds 1, turns 1 of 2\n" in capsys.readouterr().out

    assert main(["show", "digits", "--number", "S9-1"]) == 0
    shown = capsys.readouterr().out
    assert "in variants: holds 1, turns 1 of 2\n" in shown
    assert "in a variant, change one: turns, 20.0 % [" in shown
