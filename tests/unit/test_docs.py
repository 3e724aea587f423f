"""The documents hold: their examples run, their links lead somewhere, and the commands they type exist."""

import doctest
import re
from pathlib import Path

import pytest
import torch

from touchstone.__main__ import command_line

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_examples_of_the_python_api_give_what_they_say():
    torch.set_num_threads(1)

    done = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False)

    assert done.attempted > 20 and done.failed == 0


def broken(text, page):
    links = re.findall(r"\]\(([^)#\s]+)", text)
    return [link for link in links if "://" not in link and not (page.parent / link).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page):
    assert broken(page.read_text(), page) == []


def test_a_broken_link_is_seen():
    assert broken("[here](nowhere.md)", PAGES[0]) == ["nowhere.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_flag_that_a_page_types_exists(page):
    known_commands = command_line().commands

    for name, rest in re.findall(
        r"touchstone (\w+)((?: [^\n`#|]*)?)", " ".join(re.findall(r"`[^`]+`|```.*?```", page.read_text(), re.DOTALL))
    ):
        if name in known_commands:
            known = {flag for action in known_commands[name]._actions for flag in action.option_strings}
            assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= known, (name, rest)


def test_every_page_is_reached_from_the_index():
    index = (ROOT / "docs/README.md").read_text()

    assert [
        page for page in PAGES[1:] if f"({page.relative_to(ROOT / 'docs')})" not in index and page.name != "README.md"
    ] == []
    assert "docs/README.md" in (ROOT / "README.md").read_text()
