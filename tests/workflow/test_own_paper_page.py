"""docs/own_paper.md: what it quotes is in examples/papers, and what it says to type works and prints what the page shows."""

import re
import shutil
from pathlib import Path

import pytest

from touchstone import plugins
from touchstone.__main__ import main
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own_paper.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
ENERGY = Path("examples/papers/energy")
QUOTED = {  # how a block begins: the file that has it
    "published:": ENERGY / "paper.yaml",
    "criteria:": ENERGY / "paper.yaml",
    "  energies:": ENERGY / "questions.yaml",
    "claims:": ENERGY / "questions.yaml",
    "  cnn_fast:": ENERGY.parent / "fast/questions.yaml",
}


def block(start):
    """The one block of the page that starts with these words."""
    (found,) = [each for each in BLOCKS if each.startswith(start)]
    return found


def typed():
    """Every command of the page, without the program."""
    return [
        line.split()[1:] for each in BLOCKS for line in each.splitlines() if line.startswith(".venv/bin/touchstone ")
    ]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workflow").mkdir()
    shutil.copytree(ROOT / "workflow/studies", tmp_path / "workflow/studies")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plugins.use([])


@pytest.mark.parametrize("start", QUOTED)
def test_what_the_page_quotes_is_in_the_file(start):
    assert block(start).rstrip() in (ROOT / QUOTED[start]).read_text()


def test_the_first_command_prints_what_the_page_shows(project, capsys):
    assert main(typed()[0]) == 0

    assert capsys.readouterr().out == block("energy_score/paper.yaml\n")


def test_the_paper_of_the_page_is_right_and_nothing_in_it_is_remarked(project, capsys):
    assert main(typed()[1]) == 0

    assert capsys.readouterr().out == block("energy: no mistakes")


def test_a_mistyped_metric_is_reported_as_the_page_shows(project, capsys):
    text = (ENERGY / "paper.yaml").read_text()
    (ENERGY / "paper.yaml").write_text(text.replace("fpr95_id_minus", "fpr95_idd_minus", 1))

    assert main(typed()[1]) == 1
    before, after = block("examples/papers/energy/paper.yaml:").strip().split("...")
    said = capsys.readouterr().err.removeprefix("touchstone: ").strip()
    assert said.startswith(before) and said.endswith(after)


@pytest.mark.parametrize(
    ("study", "start"), [("energy", "papers: [./examples"), ("energy_fashion", "base: fashion_mnist")]
)
def test_the_studies_of_the_page_ask_the_questions_of_the_paper(project, study, start):
    Path(f"workflow/studies/{study}.yaml").write_text(block(start))

    plan = Plan(load(study))

    asked = {name for name, cast in plan.study["claims"].items() if isinstance(cast, dict)}
    assert {f"Sebo-{number}" for number in range(1, 12) if number != 5} <= asked
    assert {entry["system"] for entry in plan.study["evaluations"].values()} == {"energy"}
    assert plan.study["classifiers"].keys() == {"cnn_original", "cnn_oe"}
    if study == "energy_fashion":
        jobs = len(plan.jobs) + 1  # and the rule `all`
        assert f"counts its jobs: {jobs}," in PAGE


def test_a_detector_of_the_paper_is_begun_as_the_page_says(project, capsys):
    shutil.copytree(ENERGY, "energy_score")
    (command,) = [each for each in typed() if each[:2] == ["new", "detector"]]
    assert main(command) == 0
    questions = Path("energy_score/questions.yaml")
    text = questions.read_text().replace("detectors: [energy, msp]", "detectors: [energy, msp, spread]", 1)
    questions.write_text(text.replace("\nevaluations:", "\ndetectors: {spread: {use: spread}}\nevaluations:", 1))
    capsys.readouterr()

    assert main(["check", "./energy_score", "--no-run"]) == 0
    assert capsys.readouterr().out == block("energy: no mistakes").replace("energy:", "energy_score:")
