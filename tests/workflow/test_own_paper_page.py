"""docs/own_paper.md: what it quotes is in examples/papers, and what it says to type works and prints what the page shows."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from projects import study_text
from touchstone import plugins
from touchstone.__main__ import main
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/own_paper.md").read_text()
BLOCKS = re.findall(r"```\n(.*?)```", PAGE, re.DOTALL)
ENERGY = Path("examples/papers/energy")
QUOTED = {  # how a block begins: the file that has it
    "published:": ENERGY / "claims.yaml",
    "criteria:": ENERGY / "claims.yaml",
    "  energies:": ENERGY / "experiment.yaml",
    "  original:": ENERGY / "experiment.yaml",
    "claims:": ENERGY / "experiment.yaml",
    "  cnn_fast:": ENERGY.parent / "fast/experiment.yaml",
    "grades:": ENERGY / "experiment.yaml",
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

    assert capsys.readouterr().out == block("energy_score/claims.yaml\n")


def test_the_paper_of_the_page_is_right_and_nothing_in_it_is_remarked(project, capsys):
    assert main(typed()[1]) == 0

    assert capsys.readouterr().out == block("energy: no mistakes")


def test_a_mistyped_metric_is_reported_as_the_page_shows(project, capsys):
    text = (ENERGY / "claims.yaml").read_text()
    (ENERGY / "claims.yaml").write_text(text.replace("fpr95_id_minus", "fpr95_idd_minus", 1))

    assert main(typed()[1]) == 1
    before, after = block("examples/papers/energy/claims.yaml:").strip().split("...")
    said = capsys.readouterr().err.removeprefix("touchstone: ").strip()
    assert said.startswith(before) and said.endswith(after)


def test_the_study_of_the_page_asks_the_questions_of_the_paper(project):
    (study,) = {command[1] for command in typed() if command[0] == "run"}

    plan = Plan(load(study))

    asked = {name for name, cast in plan.study["claims"].items() if isinstance(cast, dict)}
    assert {f"Sebo-{number}" for number in (1, 2, 3, 4, 8, 9, 11, 12)} <= asked
    assert {"cnn_original", "cnn_oe"} <= plan.study["classifiers"].keys()


def test_the_paper_alone_trains_the_two_networks_that_its_questions_are_about(project):
    study = study_text("fashion_mnist", papers=None)
    data = {**yaml.safe_load(study)["data"], **dict.fromkeys(("pair_train", "pair_validation", "pair", "images_fit"))}
    text = (
        study_text("fashion_mnist", papers=None, change=None, data=data) + "papers: {./examples/papers/energy: full}\n"
    )
    Path("workflow/studies/energy.yaml").write_text(text)

    plan = Plan(load("energy"))

    assert {entry["system"] for entry in plan.study["evaluations"].values()} >= {"energy"}
    assert plan.study["classifiers"].keys() == {"cnn_original", "cnn_oe"}


def test_a_detector_of_the_paper_is_begun_as_the_page_says(project, capsys):
    shutil.copytree(ENERGY, "energy_score")
    (command,) = [each for each in typed() if each[:2] == ["new", "detector"]]
    assert main(command) == 0
    questions = Path("energy_score/experiment.yaml")
    text = questions.read_text().replace("detectors: [energy, msp]", "detectors: [energy, msp, spread]", 1)
    questions.write_text(text.replace("\nevaluations:", "\ndetectors: {spread: {use: spread}}\nevaluations:", 1))
    capsys.readouterr()

    assert main(["check", "./energy_score", "--no-run"]) == 0
    assert capsys.readouterr().out == block("energy: no mistakes").replace("energy:", "energy_score:")
