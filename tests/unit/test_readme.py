"""What README and the docs show is what the commands beside it print, from the committed reports."""

import re
import shlex
from pathlib import Path

import pytest

from touchstone.__main__ import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = re.compile(r"<!-- (touchstone [^\n]*?) -->\n\n(.*?)\n<!-- end -->", re.DOTALL)
BLOCKS = [(page.name, command, text) for page in PAGES for command, text in SHOWN.findall(page.read_text())]


def test_there_is_a_table_in_readme():
    assert "README.md" in {name for name, _, _ in BLOCKS}


@pytest.mark.parametrize(("page", "command", "text"), BLOCKS, ids=lambda value: str(value)[:40])
def test_what_a_page_shows_is_what_its_command_prints(page, command, text, capsys, monkeypatch):
    monkeypatch.chdir(ROOT)

    assert main(shlex.split(command)[1:]) == 0

    assert capsys.readouterr().out == text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_that_a_page_links_to_is_there(page):
    links = re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []
