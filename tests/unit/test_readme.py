"""README and docs: tables equal what their commands print, links lead to tracked files, and reports in git stay small."""

import os
import re
import runpy
import subprocess
from functools import cache
from pathlib import Path

import pytest

from committed_reports import ROOT
from touchstone.audit.chain import report_tables
from touchstone.settings import papers

TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))
PAGES = [*TABLES["PAGES"], ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
SHOWN = [
    (page.name, found["command"], found["table"])
    for page in PAGES
    for found in TABLES["TABLE"].finditer(page.read_text())
    if not TABLES["reads_settings"](found["command"])
]
NUMBERS = cache(report_tables.numbers)  # many commands read one table of 50,000 lines
LARGEST_IN_GIT = 2_500_000  # bytes, for metrics.csv.gz of the largest study


def test_the_readme_answers_the_five_ideas_from_the_report_in_git():
    shown = TABLES["IDEAS"].search((ROOT / "README.md").read_text())

    assert TABLES["five_ideas"](shown["study"]) == shown["table"], "run `make tables`"
    assert len(shown["table"].splitlines()) == 2 + len(papers.shipped())


def test_the_readme_is_short_and_names_the_commands_that_it_promises():
    readme = (ROOT / "README.md").read_text()

    assert len(readme.splitlines()) <= 100
    for command in ("make run", "make test", "make ci", "snakemake --cores all --use-conda"):
        assert command in readme


def test_what_a_page_shows_is_what_its_command_prints(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(report_tables, "numbers", NUMBERS)

    assert [(page, command) for page, command, table in SHOWN if TABLES["printed"](command) != table] == []


def test_a_table_that_is_out_of_date_is_written_anew(monkeypatch):
    monkeypatch.setitem(TABLES["rewritten"].__globals__, "printed", lambda command: f"what {command} prints\n")

    page = "before\n<!-- table x -->\n\nold\n\n<!-- end -->\nafter"

    assert TABLES["rewritten"](page) == ("before\n<!-- table x -->\n\nwhat table x prints\n\n<!-- end -->\nafter")


def test_the_page_of_all_reports_is_made_from_those_in_git():
    page = ROOT / "reports/README.md"

    assert (page.read_text() if page.is_file() else "") == TABLES["reports_page"](), "run `make tables`"


def changed_with(page, numbers, cwd=ROOT):
    """Return whether the last commit that changed a page, if there is one, changed its numbers, too."""

    def commits(file, *options):
        command = ["git", "log", "--format=%H", *options, "--", file]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout.split()

    in_git = subprocess.run(["git", "ls-files", page], cwd=cwd, capture_output=True, text=True, check=True).stdout
    return not in_git or commits(page, "-1")[0] in commits(numbers)


@pytest.mark.parametrize("study", TABLES["REPORTS"])
def test_a_page_in_git_is_renewed_only_with_its_numbers(study):
    assert changed_with(f"reports/{study}/report.html", f"reports/{study}/metrics.csv.gz")


def test_a_page_that_was_renewed_without_its_numbers_is_seen(tmp_path):
    def commit(**texts):
        for name, text in texts.items():
            (tmp_path / name).write_text(text)
        for command in (["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "Any"]):
            subprocess.run(["git", *command], cwd=tmp_path, check=True)

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(numbers="1")
    assert changed_with("page", "numbers", tmp_path)  # it is not in git
    commit(page="1", numbers="2")
    assert changed_with("page", "numbers", tmp_path)
    commit(page="2")
    assert not changed_with("page", "numbers", tmp_path)


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
    text = "[the page](reports/tiny/report.html), [its claims](reports/digits/claims.csv)"

    assert untracked(ROOT / "README.md", text, tracked()) == ["reports/tiny/report.html"]


def test_no_tracked_file_of_a_report_is_above_the_limit():
    sizes = {path: path.stat().st_size for path in tracked("reports") if path.is_file()}

    assert len(sizes) > 55
    assert {path.name: size for path, size in sizes.items() if size > LARGEST_IN_GIT} == {}


def test_the_readme_says_how_many_of_its_verdicts_are_others_with_the_other_data():
    found = TABLES["BESIDE"].search((ROOT / "README.md").read_text())

    assert TABLES["beside"](found["study"], found["other"]) == found["table"], "run `make tables`"
