"""docs/own_paper.md: what it says to type and to write works, and prints what the page shows."""

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
FOLDER = Path("energy_score")


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
    (tmp_path / "workflow/studies").mkdir(parents=True)
    for name in ("params.yaml", "requirements.lock", "workflow/studies/tiny.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    plugins.use([])


@pytest.fixture
def paper(project):
    """The paper of the page, with the first line of each file that `new` wrote."""
    assert main(["new", "paper", "energy_score"]) == 0
    for file, start in (("paper.yaml", "name: "), ("questions.yaml", "roles:")):
        first = (FOLDER / file).read_text().splitlines()[0]
        (FOLDER / file).write_text(f"{first}\n{block(start)}")


def test_the_first_command_prints_what_the_page_shows(project, capsys):
    assert main(typed()[0]) == 0

    assert capsys.readouterr().out == block("energy_score/paper.yaml\n")


def test_the_paper_of_the_page_is_right_and_nothing_in_it_is_remarked(paper, capsys):
    capsys.readouterr()
    assert main(typed()[1]) == 0

    assert capsys.readouterr().out == block("energy_score: no mistakes")


def test_a_mistyped_metric_is_reported_as_the_page_shows(paper, capsys):
    text = (FOLDER / "paper.yaml").read_text()
    (FOLDER / "paper.yaml").write_text(text.replace("fpr95_id", "fpr95_idd"))

    assert main(typed()[1]) == 1
    before, after = block("energy_score/paper.yaml:").strip().split("...")
    said = capsys.readouterr().err.removeprefix("touchstone: ").strip()
    assert said.startswith(before) and said.endswith(after)


@pytest.mark.parametrize(("study", "number"), [("energy", 0), ("energy_fashion", 1)])
def test_the_studies_of_the_page_ask_the_questions_of_the_paper(paper, study, number):
    text = [each for each in BLOCKS if each.startswith("papers: ")][number]
    Path(f"workflow/studies/{study}.yaml").write_text(text)

    plan = Plan(load(study))

    assert {"Senergy-1", "Senergy-2"} <= {name for name, cast in plan.study["claims"].items() if isinstance(cast, dict)}
    assert plan.study["evaluations"].keys() == {"energy_detection", "energy_pairs"}
    assert plan.study["classifiers"].keys() == {"cnn"}
    if study == "energy_fashion":
        jobs = len(list(plan.jobs())) + 1  # and the rule `all`
        assert f"counts its jobs: {jobs}," in PAGE


def test_a_detector_of_the_paper_is_begun_as_the_page_says(paper, capsys):
    (command,) = [each for each in typed() if each[:2] == ["new", "detector"]]
    assert main(command) == 0
    text = (
        (FOLDER / "questions.yaml").read_text().replace("detectors: [energy, msp]", "detectors: [energy, msp, spread]")
    )
    (FOLDER / "questions.yaml").write_text(
        text.replace("\nevaluations:", "\ndetectors: {spread: {use: spread}}\nevaluations:")
    )
    capsys.readouterr()
    assert main(typed()[1]) == 0
    assert capsys.readouterr().out == block("energy_score: no mistakes")
