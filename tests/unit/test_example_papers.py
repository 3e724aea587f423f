"""examples/papers: each paper has no mistakes, and the one study of them asks all its claims."""

import re
from pathlib import Path

import pytest

from touchstone import registry
from touchstone.__main__ import main
from touchstone.claims import paper_files
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings import papers
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/papers"
EXAMPLES = sorted(path.parent.name for path in FOLDER.glob("*/claims.yaml"))
STUDY = "examples/papers/three_papers.yaml"


@pytest.mark.parametrize("paper", EXAMPLES)
def test_a_paper_has_no_mistakes_and_nothing_in_it_is_remarked(paper, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)

    assert main(["check", f"./examples/papers/{paper}", "--no-run"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{paper}: no mistakes; published ")


@pytest.mark.parametrize("paper", EXAMPLES)
def test_a_page_describes_components_that_exist(paper):
    named = re.findall(r"`([a-z_]+)/([a-z0-9_]+)`", (FOLDER / paper / "README.md").read_text())

    assert len(named) >= 2
    assert {(folder, name) for folder, name in named if name not in registry.names(folder)} == set()


@pytest.mark.parametrize("paper", EXAMPLES)
def test_every_link_of_a_page_leads_to_a_file(paper):
    links = re.findall(r"\]\(([^)#\s]+)", (FOLDER / paper / "README.md").read_text())

    assert [link for link in links if "://" not in link and not (FOLDER / paper / link).exists()] == []


def test_no_paper_of_the_package_and_no_study_of_the_workflow_is_an_example():
    assert EXAMPLES and not set(EXAMPLES) & set(papers.shipped())
    listed = [path.read_text() for path in (ROOT / "workflow/studies").glob("*.yaml")]
    assert [paper for paper in EXAMPLES for text in listed if f"examples/papers/{paper}" in text] == []


def test_the_study_asks_every_criterion():
    plan = Plan(load(STUDY, ROOT))
    book = paper_files.book(plan.study["papers"])

    assert list(plan.study["papers"]) == ["energy", "trades", "fast"]
    asked = {name for name, roles in plan.study["claims"].items() if isinstance(roles, dict)}
    assert asked == set(book.criteria)
    assert {block["system"] for block in plan.study["evaluations"].values()} == {"energy", "trades", "fast"}
