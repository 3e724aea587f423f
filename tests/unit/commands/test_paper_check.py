"""A paper's folder is checked before any job: each mistake with file and line, by `check PAPER` and in any study."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from touchstone import plugins
from touchstone.__main__ import main
from touchstone.commands import _paper_check
from touchstone.pipeline.settings.files import ParamsError
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[3]
PAPER, QUESTIONS = "mine/paper.yaml", "mine/questions.yaml"
STUDY = "workflow/studies/own.yaml"

MISTAKES = {  # what is wrong: (file, what is replaced, by what, the file and line, what is said)
    "a role that is not described": (
        QUESTIONS, "examples: $id_test\n    attacks", "examples: $id_tset\n    attacks",
        f"{QUESTIONS}:13: evaluations.mine_robustness.examples", "Did you mean id_test?",
    ),
    "a role that nothing names": (
        QUESTIONS, "roles:\n", "roles:\n  spare: Nothing.\n", f"{QUESTIONS}:4: roles.spare", "remove it",
    ),
    "a metric that the evaluation does not make": (
        PAPER, "metric: robust_accuracy", "metric: robust_acuracy",
        f"{PAPER}:25: criteria.Smine-1.tests.0", "robustness makes no metric robust_acuracy", "Did you mean robust_accuracy?",
    ),
    "an evaluation that there is not": (
        PAPER, "evaluation: robustness  ", "evaluation: robustnes  ",
        f"{PAPER}:25: criteria.Smine-1.tests.0: no evaluation is called robustnes", "Did you mean robustness?",
    ),
    "a criterion on what no question measures": (
        PAPER, "evaluation: robustness  ", "evaluation: subset_robustness  ",
        f"{PAPER}:25: criteria.Smine-1.tests.0: no question measures robust_accuracy", "add an evaluation with use: subset_robustness",
    ),
    "a criterion whose roles nothing plays": (
        QUESTIONS, "claims:\n  Smine-1: {net: cnn_pgd, attack: pgd, examples: $id_test}\n", "",
        f"{PAPER}:19: criteria.Smine-1: nothing plays its roles", "Smine-1: {net: ..., attack: ..., examples: ...}",
    ),
    "a role of a criterion that is left out": (
        QUESTIONS, "{net: cnn_pgd, attack: pgd,", "{net: cnn_pgd,",
        f"{QUESTIONS}:18: claims.Smine-1: names nothing for the role attack", "an entry of attacks",
    ),
    "a role that a criterion does not have": (
        QUESTIONS, "{net: cnn_pgd,", "{net: cnn_pgd, nets: cnn,", f"{QUESTIONS}:18: claims.Smine-1.nets: not a role", "Did you mean net?",
    ),
    "a role played by what is no such entry": (
        QUESTIONS, "attack: pgd,", "attack: pdg,", f"{QUESTIONS}:18: claims.Smine-1.attack: no entry called pdg in attacks", "Did you mean pgd?",
    ),
    "a shared role that no criterion has": (
        QUESTIONS, "claims:\n", "claims:\n  shared: {networks: cnn}\n",
        f"{QUESTIONS}:18: claims.shared.networks: no criterion of the paper has such a role",
    ),
    "defaults for others": (
        QUESTIONS, "evaluations:\n", "attacks: {defaults: {steps: 3}}\nevaluations:\n",
        f"{QUESTIONS}:8: attacks.defaults: would change the entries of others",
    ),
    "an entry of params.yaml": (
        QUESTIONS, "evaluations:\n", "attacks: {pgd: {use: pgd, eps: 0.3}}\nevaluations:\n",
        f"{QUESTIONS}:8: attacks.pgd: params.yaml defines it, too; choose another name",
    ),
    "a threat that is no mapping": (
        PAPER, "threat: {eps: 0.1}", "threat: [eps]", "criteria.Smine-1.tests.0.threat: expected a block of keys",
    ),
    "a claim without a criterion": (
        QUESTIONS, "  Smine-1:", "  Smine-2:", f"{QUESTIONS}:18: claims.Smine-2: paper.yaml has no such criterion", "Did you mean Smine-1?",
    ),
    "a published figure without a source": (
        PAPER, "    source: Table 1\n", "", f"{PAPER}:11: published.Pmine-1: source is missing", "add it",
    ),
    "an empty source": (
        PAPER, "source: Table 1", 'source: ""', f"{PAPER}:14: published.Pmine-1.source", "must be given",
    ),
    "an id of another paper": (
        PAPER, "  Pmine-1:", "  P1-1:", f"{PAPER}:11: published.P1-1: aloe has a claim of this id, too", "unique",
    ),
    "an unknown component": (
        QUESTIONS, "use: robustness", "use: robustnes", f"{QUESTIONS}:10: evaluations.mine_robustness.use: no evaluations/robustnes.py", "Did you mean robustness?",
    ),
    "a figure that draws what there is not": (
        QUESTIONS,
        "\n# Which entries",
        "\nfigures: {errors: {use: accuracy_against_eps, evaluation: mine_robustness, also: [robustnes], caption: C}}\n\n# Which entries",
        f"{QUESTIONS}:16: figures.errors.also: no evaluation called robustnes",
        "Did you mean robustness?",
    ),
    "a system": (
        QUESTIONS, "use: robustness", "use: robustness\n    system: fgsm", f"{QUESTIONS}:11: evaluations.mine_robustness.system", "leave it out",
    ),
}  # fmt: skip


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the settings of touchstone, and a new paper in it."""
    (tmp_path / "workflow/studies").mkdir(parents=True)
    for name in ("params.yaml", "workflow/studies/tiny.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert main(["new", "paper", "mine"]) == 0
    Path(STUDY).write_text("papers: [aloe, ./mine]\nstudy: {title: Own}\n")
    yield tmp_path
    plugins.use([])


def damage(file, old, new):
    text = Path(file).read_text()
    assert text.count(old) == 1, (file, old)
    Path(file).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("file", "old", "new", "place", "words"), [(*each[:4], each[4:]) for each in MISTAKES.values()], ids=MISTAKES
)
def test_a_mistake_is_said_with_its_line_by_check_and_in_a_study(project, capsys, file, old, new, place, words):
    damage(file, old, new)

    assert main(["check", "./mine"]) == 1
    said = capsys.readouterr()
    with pytest.raises(ParamsError) as caught:
        load("own")

    for text in (said.err, str(caught.value)):
        assert place in text
        assert all(word in text for word in words)
    assert "jobs" not in said.out and not Path("data").exists()


def test_a_new_paper_is_right(project, capsys):
    assert main(["check", "./mine", "--no-run"]) == 0

    assert capsys.readouterr().out.splitlines()[-1] == "mine: no mistakes; published 1, criteria 1, evaluations 1"
    assert "mine_robustness" in load("own")["evaluations"]


def test_what_a_paper_leaves_unused_is_remarked(project, capsys):
    damage(PAPER, "scales: [Pmine-1]", "scales: []")
    damage(QUESTIONS, "claims:", "  sheet: {use: data_sheet, question: What is there, examples: $id_test}\n\nclaims:")
    (project / "mine/components/detectors").mkdir(parents=True)
    (project / "mine/components/detectors/spread.py").write_text("def spread(logits):\n    return logits.sum(dim=1)\n")

    assert main(["check", "./mine", "--no-run"]) == 0

    remarks = [line for line in capsys.readouterr().out.splitlines() if line.startswith("remark: ")]
    assert [remark.split(": ")[1:3] for remark in remarks] == [
        [f"{PAPER}:11", "published.Pmine-1"],
        [f"{QUESTIONS}:17", "evaluations.sheet"],
        [QUESTIONS, "components.detectors.spread.py"],
    ]


def test_a_folder_without_questions_is_refused(project, capsys):
    Path(QUESTIONS).unlink()

    assert main(["check", "./mine"]) == 1
    assert f"./mine: questions.yaml is missing in {project / 'mine'}" in capsys.readouterr().err
    with pytest.raises(ParamsError, match=r"own.yaml:1: papers: ./mine: questions.yaml is missing in "):
        load("own")


def test_a_number_that_the_papers_settings_leave_out_is_said_before_any_job(project, capsys):
    questions = (
        "  further: {use: checks, question: Q, classifiers: [cnn_pgd], examples: [$id_test], attacks: [bim]}\n\nclaims:"
    )
    damage(QUESTIONS, "claims:", questions)  # so that bim is in the study
    damage(QUESTIONS, "attack: pgd,", "attack: bim,")
    reason = "no evaluation that uses robustness names bim (for robust_accuracy)"

    assert main(["check", "./mine"]) == 1

    assert f"{PAPER}:25: criteria.Smine-1.tests.0: {reason}" in capsys.readouterr().err
    assert not Path("data").exists()
    assert load("own").remarks == (f"Smine-1 will have no verdict: {reason}",)


def test_a_role_that_a_study_does_not_give_is_said_before_any_job(project, capsys):
    damage(QUESTIONS, "roles:\n", "roles:\n  odd: Odd images.\n")
    damage(QUESTIONS, "examples: $id_test\n    attacks", "examples: [$id_test, $odd]\n    attacks")

    assert main(["check", "./mine", "--no-run"]) == 0

    assert f"remark: {QUESTIONS}:4: roles.odd: tiny data gives no such role" in capsys.readouterr().out
    expected = "the study gives no role odd (Odd images.), so mine asks without it: mine_robustness"
    assert load("own").remarks == (expected,)


def test_a_claim_of_the_id_of_a_shipped_one_is_the_own_papers_mistake(project, capsys):
    damage(PAPER, "  Pmine-1:", "  P1-1:")
    Path(STUDY).write_text("papers: [./mine, aloe]\nstudy: {title: Own}\n")

    with pytest.raises(ParamsError, match=rf"{PAPER}:11: published.P1-1: aloe has a claim of this id, too"):
        load("own")


@pytest.mark.parametrize("papers", ["[./mine]", "[$inherited, ./mine]"])
def test_a_study_of_tiny_data_asks_about_an_own_paper_alone_or_beside_the_others(project, papers):
    Path(STUDY).write_text(f"base: tiny\npapers: {papers}\nstudy: {{title: Own}}\n")

    study = load("own")

    assert "mine_robustness" in study["evaluations"] and "mine" in study["papers"]
    assert ("aloe" in study["papers"]) is ("robustness" in study["evaluations"]) is ("$inherited" in papers)
    assert study["examples"]["digits_test"] == load("tiny")["examples"]["digits_test"]


def test_a_paper_of_the_name_of_a_shipped_one_is_refused(project, capsys):
    Path("mine").rename("fgsm")
    Path("papers").mkdir()
    Path("fgsm").rename("papers/fgsm")

    assert main(["check", "./papers/fgsm", "--no-run"]) == 1
    assert "names two papers called fgsm; rename a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "paper"),
    [
        ("aloe", True),
        ("./mine", True),
        ("/somewhere/mine", True),
        ("tiny", False),
        ("workflow/studies/own.yaml", False),
    ],
)
def test_a_paper_is_a_shipped_name_or_a_folder(word, paper):
    assert _paper_check.is_paper(word) is paper


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["aloe"], "touchstone has a paper aloe; choose another name"),
        (["My-Paper"], r"a paper is named \[a-z\]\[a-z0-9_\]\*"),
        (["second", "--fitted"], "--fitted is for detectors, not for papers"),
    ],
)
def test_a_new_paper_with_a_wrong_name_or_flag_is_not_begun(project, capsys, words, reason):

    assert main(["new", "paper", *words]) == 1
    assert re.search(reason, capsys.readouterr().err)


def test_a_new_paper_is_named_in_text_whatever_yaml_reads_its_name_as(project):
    assert main(["new", "paper", "yes"]) == 0

    assert yaml.safe_load(Path("yes/paper.yaml").read_text())["name"] == "Yes"


def test_a_paper_that_is_there_already_is_not_overwritten(project, capsys):
    Path(QUESTIONS).write_text("mine\n")
    Path(PAPER).unlink()

    assert main(["new", "paper", "mine"]) == 1
    assert "mine/questions.yaml is there already" in capsys.readouterr().err
    assert not Path(PAPER).exists()
