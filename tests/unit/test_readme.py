"""What README and the docs show is what the commands beside it print, from the committed reports."""

import re
import runpy
from pathlib import Path

import pytest

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
