"""README and docs: tables equal what their commands print, links lead to tracked files, and reports in git stay small."""

import os
import re
import runpy
import subprocess
from functools import cache
from pathlib import Path

import pytest

import committed_reports
from committed_reports import ROOT
from committed_reports import claims as claims_of
from touchstone.audit.chain import report_tables

TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))
PICTURE = runpy.run_path(str(ROOT / "docs" / "picture.py"))
PAGES = [*TABLES["PAGES"], ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
SHOWN = [
    (page.name, found["command"], found["table"])
    for page in PAGES
    for found in TABLES["TABLE"].finditer(page.read_text())
    if not TABLES["reads_settings"](found["command"])
]
WEAK = "does not stand"
MEASURED = "2026-11-27"  # the first report of Fashion-MNIST's present networks
FIRST_SEED, SKIPPED = 6, 2000  # of its networks, and of its test images: earlier runs had those before
NUMBERS = cache(report_tables.numbers)  # many commands read one table of 50,000 lines
LARGEST_IN_GIT = 2_500_000  # bytes, for metrics.csv.gz of the largest study; pages stay out of git, DVC stores them


def test_the_findings_show_numbers():
    assert "findings.md" in {name for name, _, _ in SHOWN}


def test_the_readme_shows_one_claim_of_each_of_the_five_papers_as_the_study_found_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    shown = TABLES["FIVE"].search((ROOT / "README.md").read_text())

    assert TABLES["five_papers"](shown["study"], shown["claims"].split()) == shown["table"]
    assert len(shown["table"].splitlines()) == 2 + len(committed_reports.papers("digits"))


def test_the_picture_shows_the_committed_metrics_and_they_support_its_title():
    rows = PICTURE["estimates"]()
    left = {
        idea.name: abs((idea.share_of == "bad") - rows[idea.strong[1]][0]) for idea in PICTURE["IDEAS"]
    }  # of the whole, against the attacker who knows everything

    assert PICTURE["PICTURE"].read_text() == PICTURE["picture"](rows), "run `make tables`"
    assert all(left[name] > 0.5 for name in ("Margin consistency", "FGSM training")), left
    assert all(left[name] < 0.25 for name in ("ALOE", "Translation", "Gradient detection")), left


def test_readme_and_findings_count_the_criteria_whose_earlier_outcome_was_known():
    papers = committed_reports.papers("digits").values()
    criteria = {name: criterion for paper in papers for name, criterion in paper["criteria"].items()}
    known = {name for name, one in criteria.items() if any(change["known"] for change in one.get("revised", []))}

    for page in ("README.md", "docs/findings.md"):
        text = " ".join((ROOT / page).read_text().split())
        assert f"{len(known)} of the {len(criteria)} criteria of the five papers" in text
    assert {"S0-2", "S1-4", "S3-4", "S4-1"} <= known


def made_context(paper):
    """Return the criteria whose only late change is that they no longer count among the paper's claims."""
    late = {
        name: [change["was"] for change in criterion.get("revised", []) if str(change["date"]) >= MEASURED]
        for name, criterion in paper["criteria"].items()
        if criterion.get("kind") == "context"
    }
    return {name for name, old in late.items() if old == ["the same, as a claim of the paper"]}


def test_readme_and_findings_name_the_claims_that_became_context_when_their_outcome_was_known():
    papers = committed_reports.papers("digits").values()
    names = set().union(*map(made_context, papers))

    for page in ("README.md", "docs/findings.md"):
        text = " ".join((ROOT / page).read_text().split())
        listed = re.search(r"only changed the kind of ([^.;]*?), which", text)[1]
        assert set(re.split(", | and ", listed)) == names


def test_no_criterion_changed_after_the_networks_that_judge_it_were_measured():
    papers = committed_reports.papers("digits").values()
    judged = {name for name, row in claims_of("fashion_mnist").items() if row["status"] != "not run"}
    late = {
        name
        for paper in papers
        for name, criterion in paper["criteria"].items()
        if name in judged
        and any(str(change["date"]) >= MEASURED for change in criterion.get("revised", []))
        and name not in made_context(paper)
    }
    examples = committed_reports.record("fashion_mnist")["settings"]["settings"]["examples"]
    seeds = [int(seed) for seed in claims_of("fashion_mnist")["S0-2"]["seeds"].split()]

    assert not late, (
        "README and findings say that Fashion-MNIST's networks are a fresh test: give it another first_seed"
    )
    assert min(seeds) == FIRST_SEED
    assert examples["fashion_second"]["skip"] == SKIPPED


def test_readme_says_on_which_of_its_claims_digits_differs():
    digits, flagship = claims_of("digits"), claims_of("fashion_mnist")
    shown = TABLES["FIVE"].search((ROOT / "README.md").read_text())["claims"].split()

    differ = {name: digits[name]["status"] for name in shown if digits[name]["status"] != flagship[name]["status"]}

    assert differ == {"S0-2": "not confirmed", "S3-4": "inconclusive", "S4-1": "confirmed"}


def test_findings_have_the_gains_of_translation_on_digits():
    gains = re.findall(r"[+-][\d.]+ points \[\S+ \S+\]", claims_of("digits")["S4-1"]["says"])
    text = " ".join((ROOT / "docs" / "findings.md").read_text().split())

    assert f"keeps most of it, {' of '.join(gains)} (S4-1)" in text


def test_findings_name_the_claims_that_do_not_stand_if_all_are_tested_together():
    text = " ".join((ROOT / "docs" / "findings.md").read_text().split())

    for word in ("confirmed", "not confirmed"):
        weak = [n for n, row in claims_of("fashion_mnist").items() if (row["status"], row["holm"]) == (word, WEAK)]
        fall = [name for name in weak if name[1].isdigit()] or ["none"]  # an older table also has papers that left
        named = re.search(rf"{word.capitalize()}: ([^.]*)\. (?:Not|The column)", text)[1]
        assert set(re.split(", | and ", named)) == set(fall)


def test_the_readme_is_short_and_names_the_commands_that_it_promises():
    readme = (ROOT / "README.md").read_text()

    assert len(readme.splitlines()) <= 130
    for command in ("make run", "make test", "snakemake --cores all --use-conda"):
        assert command in readme


@pytest.mark.parametrize(("page", "command", "table"), SHOWN, ids=lambda value: str(value)[:60])
def test_what_a_page_shows_is_what_its_command_prints(page, command, table, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(report_tables, "numbers", NUMBERS)

    assert TABLES["printed"](command) == table


def test_a_table_that_is_out_of_date_is_written_anew(monkeypatch):
    monkeypatch.setitem(TABLES["rewritten"].__globals__, "printed", lambda command: f"what {command} prints\n")

    page = "before\n<!-- table x -->\n\nold\n\n<!-- end -->\nafter"

    assert TABLES["rewritten"](page) == ("before\n<!-- table x -->\n\nwhat table x prints\n\n<!-- end -->\nafter")


def tracked(*folders):
    """Return the files that git tracks, and the folders that hold them: what a clone and the hosting site show."""
    listed = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {ROOT / name for name in listed.stdout.split("\0") if name}
    return files | {folder for file in files for folder in file.parents}


def untracked(page, text, files):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text)
    return [link for link in links if Path(os.path.normpath(page.parent / link)) not in files]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_to_a_tracked_file(page):
    assert untracked(page, page.read_text(), tracked()) == []


def test_a_link_to_a_file_that_git_ignores_is_seen():
    text = "[the page](reports/digits/report.html), [its claims](reports/digits/claims.csv)"

    assert untracked(ROOT / "README.md", text, tracked()) == ["reports/digits/report.html"]


def test_no_tracked_file_of_a_report_is_above_the_limit():
    sizes = {path: path.stat().st_size for path in tracked("reports") if path.is_file()}

    assert len(sizes) > 100
    assert {path.name: size for path, size in sizes.items() if size > LARGEST_IN_GIT} == {}


def test_the_readme_traces_a_number_to_the_files_that_the_report_names():
    shown = re.search(
        r"trace fashion_mnist --number (\S+)\n\1, (\w+): .*\n((?:\S+\n)+)", (ROOT / "README.md").read_text()
    )
    row = claims_of("fashion_mnist")[shown[1]]

    assert (shown[2], shown[3].split()) == (row["status"], row["files"].split())
