"""What README and the docs show is what the commands beside it print, from the committed reports."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))
PAGES = TABLES["PAGES"]
SHOWN = [
    (page.name, found["command"], found["table"])
    for page in PAGES
    for found in TABLES["TABLE"].finditer(page.read_text())
]


def test_readme_and_the_findings_show_numbers():
    assert {"README.md", "findings.md"} <= {name for name, _, _ in SHOWN}


@pytest.mark.parametrize(("page", "command", "table"), SHOWN, ids=lambda value: str(value)[:60])
def test_what_a_page_shows_is_what_its_command_prints(page, command, table, monkeypatch):
    monkeypatch.chdir(ROOT)

    assert TABLES["printed"](command) == table


def test_a_table_that_is_out_of_date_is_written_anew(monkeypatch):
    monkeypatch.setitem(TABLES["rewritten"].__globals__, "printed", lambda command: f"what {command} prints\n")

    page = "before\n<!-- touchstone table x -->\n\nold\n\n<!-- end -->\nafter"

    assert TABLES["rewritten"](page) == (
        "before\n<!-- touchstone table x -->\n\nwhat table x prints\n\n<!-- end -->\nafter"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_disk_that_a_study_is_said_to_need_is_what_dvc_recorded_of_it():
    outs = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]["digits"]["outs"]
    needed = sum(out["size"] for out in outs) / 1e9

    readme = (ROOT / "README.md").read_text()
    said = (r"the default study (\d+\.\d) GB", r"default study: (\d+\.\d) GB more")
    found = [float(re.search(words, readme)[1]) for words in said]
    found.append(float(re.search(r"# Disk: (\d+\.\d) GB", (ROOT / "params.yaml").read_text())[1]))

    assert found == pytest.approx([needed] * 3, abs=0.1)
